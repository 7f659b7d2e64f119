"""E-mail addresses."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

__all__ = ["Emails"]

_WORD = "A-Za-z0-9\u00c0-\u024f\u0370-\u04ff"
_ADDRESS = re.compile(
    rf"(?<![{_WORD}_.+%'&=-])[{_WORD}_+%&=-][{_WORD}_.+%'&=-]{{0,63}}"
    rf"@((?:[{_WORD}](?:[{_WORD}-]{{0,61}}[{_WORD}])?\.){{1,8}}[A-Za-z\u00c0-\u024f\u0370-\u04ff]{{2,24}})(?![{_WORD}_-])"
)
_NO_DOMAIN = frozenset({
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "scss", "js", "mjs", "ts", "tsx", "jsx", "json", "yaml",
    "yml", "toml", "xml", "html", "htm", "txt", "pdf", "gz", "tgz", "whl", "tar", "exe", "dll", "so", "lock", "local",
})  # fmt: skip


@final
@attrs.frozen
class Emails:
    """Finds e-mail addresses. ``git@host:path``, ``package@1.2.3`` and ``image@2x.png`` are none."""

    kind: str = attrs.field(default="email", init=False)
    max_chars: int = attrs.field(default=320, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the addresses."""
        if "@" not in text:
            return ()
        return [match.span() for match in _ADDRESS.finditer(text) if _is_address(text, match)]

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return an address under a name that is reserved for examples (RFC 2606)."""
        del value
        return f"person{rng.randrange(16**8):08x}@masked.example"


def _is_address(text: str, match: re.Match[str]) -> bool:
    if match[1].rpartition(".")[2].lower() in _NO_DOMAIN or len(match[0]) > 320:
        return False
    rest = text[match.end() : match.end() + 2]
    remote_path = rest[:1] == ":" and rest[1:] not in ("", " ", "\n", "/")
    return not (remote_path and match[0].startswith("git@"))
