"""Keys and tokens whose makers gave them a shape that can be told from chance."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

from par.middleware._pii_detector import random_like

__all__ = ["PEM_BEGIN", "Secrets", "pem_is_open"]

PEM_BEGIN = "-----BEGIN"
_PEM_BODY = 4000
_PEM_HEAD = r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_PEM_END = r"-----END (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_PEM = re.compile(rf"{_PEM_HEAD}(?:[\s\S]{{0,{_PEM_BODY}}}?(?:{_PEM_END}|\Z)|[\s\S]{{{_PEM_BODY}}})")
_PEM_WHOLE = re.compile(_PEM_END)
_PEM_HEAD_HERE = re.compile(_PEM_HEAD)

# (a piece that every such key has, what it looks like); lengths are bounded so that streams are, too
_SHAPES: tuple[tuple[str, str], ...] = (
    ("sk-", r"sk-(?:[A-Za-z0-9]{1,12}-)?[A-Za-z0-9_\-]{20,400}"),
    ("_live_", r"(?:sk|rk|pk|whsec)_live_[A-Za-z0-9]{16,200}"),
    ("_test_", r"(?:sk|rk|pk|whsec)_test_[A-Za-z0-9]{16,200}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,100}"),
    ("AKIA", r"AKIA[A-Z0-9]{16}"),
    ("ASIA", r"ASIA[A-Z0-9]{16}"),
    ("ghp_", r"ghp_[A-Za-z0-9]{36,251}"),
    ("gho_", r"gho_[A-Za-z0-9]{36,251}"),
    ("ghu_", r"ghu_[A-Za-z0-9]{36,251}"),
    ("ghs_", r"ghs_[A-Za-z0-9]{36,251}"),
    ("ghr_", r"ghr_[A-Za-z0-9]{36,251}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,251}"),
    ("glpat-", r"glpat-[A-Za-z0-9_\-]{20,200}"),
    ("xox", r"xox[abeprs]-[A-Za-z0-9\-]{10,250}"),
    ("xapp-", r"xapp-[0-9]-[A-Za-z0-9\-]{10,250}"),
    ("hooks.slack.com", r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"),
    ("AIza", r"AIza[A-Za-z0-9_\-]{35}"),
    ("ya29.", r"ya29\.[A-Za-z0-9_\-]{20,400}"),
    ("GOCSPX-", r"GOCSPX-[A-Za-z0-9_\-]{20,60}"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[A-Za-z0-9_\-]{50,400}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,100}"),
    ("SG.", r"SG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,64}"),
    ("key-", r"key-[0-9a-f]{32}"),
    ("dop_v1_", r"dop_v1_[a-f0-9]{64}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("eyJ", r"eyJ[A-Za-z0-9_\-]{8,1300}\.[A-Za-z0-9_\-]{8,1300}\.[A-Za-z0-9_\-]{8,1300}"),
    ("AccountKey=", r"AccountKey=[A-Za-z0-9+/=]{40,120}"),
)  # fmt: skip
_PIECES = tuple(piece for piece, _ in _SHAPES)
_ANY = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(shape for _, shape in _SHAPES)})(?![A-Za-z0-9_])")


def pem_is_open(text: str, start: int) -> bool:
    """Tell whether a PEM block that begins at ``start`` may go on behind the end of ``text``."""
    if len(text) - start > _PEM_BODY + 120 or _PEM_WHOLE.search(text, start):
        return False
    if _PEM_HEAD_HERE.match(text, start):
        return True
    return len(text) - start < 80 and "-----" not in text[start + len(PEM_BEGIN) :]


@final
@attrs.frozen
class Secrets:
    """Finds API keys, access tokens, JWTs and private keys in PEM form."""

    kind: str = attrs.field(default="secret", init=False)
    max_chars: int = attrs.field(default=4200, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the keys and tokens; of a key that is cut off, what there is of it."""
        hits: list[tuple[int, int]] = []
        for piece in _PIECES:
            if piece in text:
                hits = [match.span() for match in _ANY.finditer(text)]
                break
        if PEM_BEGIN in text:
            hits.extend(match.span() for match in _PEM.finditer(text))
            hits.sort()
        return hits

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return a token with the same beginning and length; a private key becomes an empty block with a number."""
        if value.startswith(PEM_BEGIN):
            return f"-----BEGIN MASKED KEY {rng.randrange(16**12):012x}-----"
        kept = next((len(piece) for piece in _PIECES if value.startswith(piece)), 4)
        return random_like(value, rng, keep=kept)
