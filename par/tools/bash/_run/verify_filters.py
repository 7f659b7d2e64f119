"""The rules for the argvs of grep and the other filters, written apart from the builders.

A rule lists what may stand at each place, in this order; what is not marked as needed may be absent, and nothing
may come twice or elsewhere.
"""

import re
from types import MappingProxyType
from typing import Final

import attrs

from par.tools.bash._run.verify_tokens import NUMBER, parted

__all__ = ["filter_problem"]

_GREP = re.compile(
    rf"--extended-regexp|--fixed-strings|--color=never|--binary-files=without-match|--with-filename|--null"
    rf"|--no-messages|--line-number|--ignore-case|--word-regexp|--invert-match|--files-with-matches"
    rf"|--files-without-match|--count|--only-matching|--(?:before|after)-context={NUMBER}|--max-count={NUMBER}|--regexp=.+",
    re.DOTALL,
)
_DESCRIPTOR = r"/(?:proc/self|dev)/fd/[0-9]{1,7}"
_FILE: Final = re.compile(_DESCRIPTOR)
_SPANS = r"(?:[0-9]{1,6}-?[0-9]{0,6}|-[0-9]{1,6})(?:,(?:[0-9]{1,6}-?[0-9]{0,6}|-[0-9]{1,6}))*"
_CHAR = r"[\t\x20-\x7e]"
_ASCII = r"[\t\x20-\x7e]+"


@attrs.frozen
class _Place:
    """What may stand at one place of an argv."""

    pattern: re.Pattern[str]
    needed: bool = False


def _may(pattern: str) -> _Place:
    return _Place(re.compile(pattern, re.DOTALL))


def _must(pattern: str) -> _Place:
    return _Place(re.compile(pattern, re.DOTALL), needed=True)


_JQ = (_must("-M"), _may("-r"), _may("-c"), _may("-s"), _must(r"\(.{1,2000}\n\)"))
_RULES: Final = MappingProxyType({
    "sort": (
        _must("-S64M"),
        _may("-n|-h|-V"),
        _may("-r"),
        _may("-u"),
        _may("-f"),
        _may(f"-t{_CHAR}"),
        _may("-k[1-9][0-9]{0,4}(?:,[1-9][0-9]{0,4})?"),
    ),
    "uniq": (_may("-c"), _may("-d|-u"), _may("-i")),
    "cut": (_must(f"-f{_SPANS}|-b{_SPANS}"), _may(f"-d{_CHAR}"), _may("-s")),
    "tr": (_may("-c"), _must("--"), _must(_ASCII), _must(_ASCII)),
    "tr of one set": (_may("-c"), _must("-d|-s"), _must("--"), _must(_ASCII)),
    "jq": _JQ,
    "jq_child": (_must("-I"), _must(r"/.+/_native/jq_child\.py"), *_JQ),
    "diff": (
        _must(f"-U{NUMBER}|-q"),
        _may("-w"),
        _must("--label=.+"),
        _must("--label=.+"),
        _must("--"),
        _must(_DESCRIPTOR),
        _must(_DESCRIPTOR),
    ),
    "file": (_must("-b"), _must("--mime"), _must("-")),
    "grep_filter": (
        _must("--color=never"),
        _must("--text"),
        _must("--fixed-strings|--extended-regexp"),
        _may("--ignore-case"),
        _may("--word-regexp"),
        _may("--invert-match"),
        _may("--count|--only-matching"),
        _may(f"--max-count={NUMBER}"),
        _must("--regexp=.+"),
    ),
})
_LINES: Final = frozenset({"jq", "jq_child"})
"""Programs that may get a text of several lines: the last argument of jq is one."""


def filter_problem(name: str, tokens: tuple[str, ...]) -> str:
    """Say what is wrong with what the program ``name`` gets; nothing is the empty text."""
    single = tokens[:-1] if name in _LINES else tokens
    if any("\n" in token for token in single):
        return "an argument has a line break"
    if name.endswith("grep"):
        return _grep_problem(tokens)
    rule = _RULES.get(name)
    if rule is None:
        return "there are no rules for the program"
    if name == "tr" and not _ordered_problem(name, _RULES["tr of one set"], tokens):
        return ""
    return _ordered_problem(name, rule, tokens)


def _ordered_problem(name: str, rule: tuple[_Place, ...], tokens: tuple[str, ...]) -> str:
    left = list(tokens)
    for place in rule:
        if left and place.pattern.fullmatch(left[0]):
            del left[0]
        elif place.needed:
            return f"{name} does not get what it needs"
    return f"{name} gets something that is not used" if left else ""


def _grep_problem(tokens: tuple[str, ...]) -> str:
    before, after = parted(tokens)
    if after is None or any(not _FILE.fullmatch(token) for token in after):
        return "grep gets a file that is not a descriptor"
    if any(not _GREP.fullmatch(token) for token in before) or len(set(before)) != len(before):
        return "grep gets an option that is not used"
    return "" if sum(token.startswith("--regexp=") for token in before) == 1 else "grep does not get one pattern"
