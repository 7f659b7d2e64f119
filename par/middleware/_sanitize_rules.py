"""What is dangerous in text that a stranger may have written: hidden characters, and orders to the model."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache

__all__ = ["BUILT_IN", "Rule", "clean_characters", "injections"]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Source: ECMA-48: CSI, OSC and the other string sequences, then two-character escapes; also in their C1 form
_ANSI = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]{0,4}[0-~]"
)


def clean_characters(text: str, found: Counter[str]) -> str:
    """Return ``text`` without terminal sequences and without characters that a reader does not see."""
    if text.isascii() and text.isprintable():
        return text
    if _HIDDEN.search(text) is None:
        return text
    if "\x1b" in text or "\x9b" in text or "\x9d" in text or "\x90" in text:
        text, number = _ANSI.subn("", text)
        if number:
            found["ansi"] += number

    def drop(match: re.Match[str]) -> str:
        found[_kind_of(match[0])] += 1
        return ""

    return _HIDDEN.sub(drop, text)


def _kind_of(character: str) -> str:
    code = ord(character)
    if code >= 0xE0000:
        return "tag"
    if 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or code in {0x200E, 0x200F, 0x061C}:
        return "bidi"
    return "control" if code < 0xA0 or 0xD800 <= code <= 0xDFFF else "zero_width"


Rule = tuple[str, re.Pattern[str]]

_S = r"[\W_]+"  # words may be parted by anything that is no letter or digit: spaces, line breaks, dashes
_FLAGS = re.IGNORECASE

BUILT_IN: tuple[Rule, ...] = tuple(
    (kind, re.compile(pattern, _FLAGS))
    for kind, pattern in (
        (
            "instruction_override",
            (
                rf"\b(?:ignore|disregard|forget|override|overrule|bypass|skip|drop){_S}(?:\w+{_S}){{0,4}}?"
                rf"(?:previous|prior|above|earlier|preceding|foregoing|former|existing|original|initial|all|any|your|these"
                rf"|those|the|system|my){_S}(?:\w+{_S}){{0,3}}?"
                r"(?:instructions?|prompts?|rules|directions|directives?|guidelines|orders|guardrails)\b"
            ),
        ),
        (
            "instruction_override",
            (
                rf"\b(?:ignore|disregard|forget){_S}(?:everything|anything|all|what){_S}(?:\w+{_S}){{0,3}}?"
                rf"(?:above|before|previously|earlier|so{_S}far|told|said)\b"
            ),
        ),
        (
            "new_instructions",
            (
                rf"\b(?:new|updated|revised|real|actual|important){_S}(?:\w+{_S}){{0,2}}?(?:instructions?|directives?)\s*:"
                rf"|\b(?:from{_S}now{_S}on|henceforth){_S}you{_S}(?:are|will|must|shall|should|act)\b"
            ),
        ),
        (
            "role_play",
            (
                rf"\byou{_S}are{_S}now{_S}(?:dan|unrestricted|evil|jailbroken)\b|"
                rf"\byou{_S}are{_S}(?:now|no{_S}longer){_S}(?:an?|my|the|dan|in|bound|unrestricted|evil|jailbroken|free"
                rf"{_S}(?:of|from)){_S}?(?:\w+{_S}){{0,3}}?(?:assistant|ai|model|bot|chatbot|agent|dan|mode|hacker|pirate"
                rf"|unrestricted|evil|jailbroken|rules|restrictions|guidelines)\b"
                rf"|\b(?:pretend|imagine){_S}(?:to{_S}be|that{_S}you|you{_S}are){_S}(?:\w+{_S}){{0,4}}?"
                rf"(?:unrestricted|jailbroken|without{_S}(?:rules|restrictions|limits)|dan|evil)\b"
                rf"|\b(?:enable|enter|activate|switch{_S}to){_S}(?:developer|god|dan|jailbreak|debug){_S}mode\b"
            ),
        ),
        (
            "prompt_leak",
            (
                rf"\b(?:reveal|show|print|repeat|output|leak|display|disclose|send|tell{_S}me){_S}(?:\w+{_S}){{0,3}}?"
                rf"(?:system|initial|hidden|original|secret){_S}(?:prompts?|instructions?|messages?)\b"
            ),
        ),
        (
            "concealment",
            rf"\b(?:do{_S}not|don{_S}t|never){_S}(?:tell|inform|alert|notify|mention){_S}(?:\w+{_S}){{0,4}}?users?\b",
        ),
        (
            "role_marker",
            (
                r"(?:(?<=\A)|(?<=[\n\r]))[ \t>*#\[(\"'-]{0,8}(?:system|developer|assistant)"
                r"(?:[ \t]{1,4}(?:prompt|message|note|override))?[\])*\"']{0,3}[ \t]{0,4}:"
            ),
        ),
        ("role_marker", r"(?<=[.!?;])[ \t\n\r]{1,40}(?:system|developer|assistant)[ \t]{0,4}:"),
        (
            "special_token",
            (
                r"<\|[a-z_]{2,24}\|>|\[/?inst\]|<</?sys>>|</?(?:system|assistant|developer|instructions?|untrusted[a-z_]*)>"
                r"|#{2,6}[ \t]{0,4}(?:system|instructions?)\b[ \t]{0,4}:?"
            ),
        ),
    )
)

_TRIGGERS = (
    "ignor", "disreg", "forget", "overr", "bypass", "skip", "drop", "nstruction", "irective", "now", "longer",
    "pretend", "imagine", "mode", "prompt", "message", "user", "system", "developer", "assistant", "<|", "inst]", "sys>>",
    "untrusted",
)  # fmt: skip # one word of each rule, so that most texts cost a few searches for plain text


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character)
    folded = "".join(part for part in plain if not unicodedata.combining(part)).casefold()
    return "".join(_TWINS.get(part, part) for part in folded)


# letters of other scripts that look like Latin ones. Source: Unicode TR39, confusables
_TWINS: dict[str, str] = {
    # Cyrillic
    "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "һ": "h", "і": "i", "ї": "i", "ј": "j", "к": "k", "ӏ": "l",
    "м": "m", "н": "h", "о": "o", "р": "p", "ԛ": "q", "г": "r", "ѕ": "s", "т": "t", "у": "y", "ѵ": "v", "ԝ": "w",
    "х": "x", "ѡ": "w", "п": "n", "ц": "u", "ё": "e", "є": "e", "з": "3",
    # Greek
    "α": "a", "β": "b", "ϲ": "c", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "σ": "o",
    "ς": "s", "τ": "t", "υ": "u", "χ": "x", "γ": "y", "ω": "w", "μ": "u", "ϳ": "j",
    # Latin that is not decomposed, Armenian, small capitals
    "ı": "i", "ɩ": "i", "ɡ": "g", "ɑ": "a", "ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ᴀ": "a", "ʙ": "b", "ᴄ": "c",
    "ᴅ": "d", "ᴇ": "e", "ɢ": "g", "ʜ": "h", "ɪ": "i", "ᴊ": "j", "ᴋ": "k", "ʟ": "l", "ᴍ": "m", "ɴ": "n", "ᴏ": "o",
    "ᴘ": "p", "ʀ": "r", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w", "ʏ": "y", "ᴢ": "z", "օ": "o", "ս": "u", "ո": "n",
    "հ": "h", "ց": "g", "զ": "q", "ѐ": "e",
}  # fmt: skip


def injections(text: str, rules: tuple[Rule, ...], *, own: tuple[Rule, ...] = ()) -> list[tuple[int, int, str]]:
    """Return where in ``text`` orders to the model stand, as (start, end, kind), in order and without overlap."""
    plain, places = _normalised(text)
    lowered = plain.lower()
    if not own and not any(trigger in lowered for trigger in _TRIGGERS):
        return []
    hits = [(match.start(), match.end(), kind) for kind, rule in (*rules, *own) for match in rule.finditer(plain)]
    result: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(hits, key=lambda hit: (hit[0], -hit[1])):
        first, last = (start, end) if places is None else (places[start], places[end - 1] + 1)
        if result and first < result[-1][1]:
            begun, until, named = result[-1]
            result[-1] = (begun, max(until, last), named)
        else:
            result.append((first, last, kind))
    return result


def _normalised(text: str) -> tuple[str, list[int] | None]:
    if text.isascii():
        return text, None
    pieces: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        folded = character if character < "\x80" else _folded(character)
        pieces.append(folded)
        places.extend([place] * len(folded))
    return "".join(pieces), places
