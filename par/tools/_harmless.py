"""Text from anywhere, made so that it does nothing to who reads it: a terminal, a person, a model."""

import re

__all__ = ["harmless"]

# strings that terminals act on end with BEL or ST; one without an end is not allowed to swallow what follows
_SEQUENCES = re.compile(
    "(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]{0,256}(?:\x07|\x1b\\\\|\x9c)"
    "|(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    "|\x1b[ -/]{0,16}[0-~]"
)
_CONTROLS = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
_HIDDEN = re.compile(
    "[\U000e0000-\U000e0fff\u2060-\u2065\u206a-\u206f\ufff9-\ufffb\ufeff\u180e\u115f\u1160\u3164\uffa0]"
)
_THIN = re.compile("[\u00ad\u034f\u200b-\u200d\ufe00-\ufe0f]{2,}|[\u00ad\u200b]")


def harmless(text: str) -> str:
    """Return ``text`` without what moves a cursor, turns text around or hides.

    Escape sequences are removed; carriage returns and backspaces are
    shown as ``␍`` and ``␈``, other controls dropped, bidirectional and invisible characters written
    as ``<U+202E>``.
    """
    text = text.replace("\r\n", "\n")
    if not (text.isascii() and text.isprintable()):
        text = _SEQUENCES.sub("", text)
        # removing one sequence may have joined the halves of another: no ESC is left to make one
        text = text.replace("\x1b", "␛").replace("\r", "␍").replace("\b", "␈")
        text = _CONTROLS.sub("", text)
        if not text.isascii():
            text = _TURNING.sub(_spelled, text)
            text = _HIDDEN.sub(_spelled, text)
            text = _THIN.sub(_counted, text)
    return text


def _spelled(found: re.Match[str]) -> str:
    return f"<U+{ord(found.group()):04X}>"


def _counted(found: re.Match[str]) -> str:
    run = found.group()
    return f"<U+{ord(run[0]):04X}>" if len(run) == 1 else f"<{len(run)} invisible characters>"
