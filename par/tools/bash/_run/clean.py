"""Making text from files and programs safe to show: to a model, in a terminal, in a log."""

import re

from par.tools._harmless import harmless

__all__ = ["clean", "escape_name"]

_LINE = 2000
_NAME = re.compile(
    "[\x00-\x1f\\\\\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def clean(data: bytes) -> str:
    """Return ``data`` as ``harmless`` text. Bytes that are no UTF-8 become U+FFFD; lines are cut at 2000 characters."""
    text = harmless(data.decode("utf-8", "replace"))
    return "\n".join([_shorten(line) for line in text.split("\n")]) if len(text) > _LINE else text


def _shorten(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}… [line of {len(line)} characters, cut]"


def escape_name(name: str) -> str:
    r"""Return a file name that fits one line: controls, invisible characters and ``\`` are escaped."""
    return _NAME.sub(_escaped, name)


def _escaped(found: re.Match[str]) -> str:
    char = found.group()
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as the file system functions hand it over
        return f"\\x{code - 0xDC00:02x}"
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or (
        f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )
