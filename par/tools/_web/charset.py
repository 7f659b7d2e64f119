"""Turn bytes into text by what the answer says of itself."""

import re
from collections.abc import Mapping

__all__ = ["decoded", "media_type_of"]

_LOOKED_AT = 1024
"""HTML wants its declaration within so many bytes."""
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?([A-Za-z0-9_:-]{1,40})|"""
    rb"""^\s{0,9}<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([A-Za-z0-9_:-]{1,40})""",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r""";\s{0,9}charset\s{0,9}=\s{0,9}["']?([A-Za-z0-9_:-]{1,40})""", re.IGNORECASE)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

# A closed list (after the WHATWG's), because Python knows codecs that are no character sets or cost quadratic time.
_CODECS: Mapping[str, str] = {
    **dict.fromkeys(["utf-8", "utf8"], "utf-8"),
    **dict.fromkeys(["us-ascii", "ascii", "iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252"], "cp1252"),
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{number}": f"cp{number}" for number in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)},
    "iso-8859-9": "cp1254",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    **dict.fromkeys(["gb2312", "gbk", "gb18030"], "gb18030"),
    "big5": "big5hkscs",
    "euc-jp": "euc-jp",
    **dict.fromkeys(["shift_jis", "shift-jis", "sjis"], "cp932"),
    "iso-2022-jp": "iso2022-jp",
    **dict.fromkeys(["euc-kr", "ks_c_5601-1987"], "cp949"),
    **dict.fromkeys(["utf-16", "utf-16le"], "utf-16-le"),
    "utf-16be": "utf-16-be",
}


def media_type_of(header: str) -> str:
    """Return the media type of a ``Content-Type`` header in small letters, without parameters."""
    return header.partition(";")[0].strip().lower()


def decoded(data: bytes, header: str) -> str:
    """Return the text of a body.

    A byte order mark goes before the header, the header before what the document says of itself; else it is UTF-8.
    What no character stands for becomes U+FFFD.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, errors="replace")
    named = _PARAMETER.search(header[:500])
    label = named[1].lower() if named is not None else ""
    if label not in _CODECS:
        declared = _DECLARED.search(data[:_LOOKED_AT])
        label = (declared[1] or declared[2]).decode("ascii").lower() if declared is not None else ""
        if label.startswith("utf-16"):  # a declaration that was read as ASCII does not stand in UTF-16
            label = "utf-8"
    return data.decode(_CODECS.get(label, "utf-8"), errors="replace")
