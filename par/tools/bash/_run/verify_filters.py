"""The rules for the argvs of grep and the other filters, written apart from the builders."""

import re

from par.tools.bash._run.verify_tokens import NUMBER, parted

__all__ = ["filter_problem"]

_GREP = re.compile(
    rf"--extended-regexp|--fixed-strings|--color=never|--binary-files=without-match|--with-filename|--null"
    rf"|--no-messages|--line-number|--ignore-case|--word-regexp|--invert-match|--files-with-matches"
    rf"|--files-without-match|--count|--only-matching|--(?:before|after)-context={NUMBER}|--max-count={NUMBER}|--regexp=.+",
    re.DOTALL,
)
_DESCRIPTOR = re.compile(r"/(?:proc/self|dev)/fd/[0-9]{1,7}")


def filter_problem(name: str, tokens: tuple[str, ...]) -> str:
    """Say what is wrong with what the program ``name`` gets; nothing is the empty text."""
    return _grep_problem(tokens) if name.endswith("grep") else "there are no rules for the program"


def _grep_problem(tokens: tuple[str, ...]) -> str:
    before, after = parted(tokens)
    if after is None or any(not _DESCRIPTOR.fullmatch(token) for token in after):
        return "grep gets a file that is not a descriptor"
    if any(not _GREP.fullmatch(token) for token in before) or len(set(before)) != len(before):
        return "grep gets an option that is not used"
    return "" if sum(token.startswith("--regexp=") for token in before) == 1 else "grep does not get one pattern"
