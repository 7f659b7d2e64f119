"""The tool that lays JSON out; numbers and text stay as they were written."""

import json
from collections.abc import Iterator
from typing import Annotated, TypeAlias, cast

import attrs

from par import Param, tool
from par.errors import ToolFailed
from par.tools._text.limits import MOST_CHARACTERS

__all__ = ["json_format"]

_MOST_DEPTH = 100
_MOST_RESULT = 500_000
"""Indentation can make a small text large: a thousand lists in lists of eight spaces each."""


@attrs.frozen
class _Digits:
    """A number as it was written: a float would lose digits, and an int of thousands cannot be read at all."""

    text: str


_Tree: TypeAlias = "_Digits | str | bool | list[_Tree] | dict[str, _Tree] | None"


class _Problem(ValueError):
    """What is wrong with text that the decoder takes."""


def _once(pairs: list[tuple[str, _Tree]]) -> _Tree:
    tree: dict[str, _Tree] = {}
    for name, value in pairs:
        if name in tree:
            raise _Problem(f"the key {_quoted(name[:80])} stands twice in one object")
        tree[name] = value
    return tree


def _quoted(text: str) -> str:
    # half of a surrogate pair, which only an escape can write, stays an escape
    return json.dumps(text, ensure_ascii=any("\ud800" <= character <= "\udfff" for character in text))


def _constant(name: str) -> _Tree:
    raise _Problem(f"{name} is no JSON number")


@tool(effect="read", timeout=10.0)
def json_format(
    text: Annotated[str, Param(description="one JSON document", min_length=1, max_length=MOST_CHARACTERS)],
    indent: Annotated[int, Param(description="spaces for each level; 0 for one line", ge=0, le=8)] = 2,
    sort_keys: Annotated[bool, Param(description="order the keys of objects by name")] = False,
) -> str:
    """Check a JSON document and lay it out; numbers keep their digits.

    The result is the text itself, because JSON inside of JSON is hard to read.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_once, parse_constant=_constant, parse_float=_Digits, parse_int=_Digits
    )
    try:
        tree = cast("_Tree", decoder.decode(text))  # what the hooks make
        return _laid_out(_written(tree, indent, "\n" if indent else "", sort_keys=sort_keys, depth=0))
    except json.JSONDecodeError as error:
        raise ToolFailed(f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise ToolFailed(_too_deep()) from None
    except _Problem as error:
        raise ToolFailed(f"This document is refused: {error}.") from None


def _laid_out(written: Iterator[str]) -> str:
    pieces: list[str] = []
    size = 0
    for piece in written:
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_RESULT:
            raise _Problem(f"laid out it has more than {_MOST_RESULT} characters: use a smaller indent")
    return "".join(pieces)


def _too_deep() -> str:
    return f"This document is refused: it nests deeper than {_MOST_DEPTH} levels."


def _written(tree: _Tree, indent: int, line: str, *, sort_keys: bool, depth: int) -> Iterator[str]:
    if depth > _MOST_DEPTH:
        raise ToolFailed(_too_deep())
    if isinstance(tree, _Digits):
        yield tree.text
    elif not isinstance(tree, (list, dict)):
        yield _quoted(tree) if isinstance(tree, str) else json.dumps(tree)
    elif not tree:
        yield "[]" if isinstance(tree, list) else "{}"
    else:
        inner = line + " " * indent
        comma = "," + (inner or " ")
        named = isinstance(tree, dict)
        yield ("{" if named else "[") + inner
        between = ""
        for name, value in _members(tree, sort_keys=sort_keys):
            yield between + (_quoted(name) + ": " if named else "")
            yield from _written(value, indent, inner, sort_keys=sort_keys, depth=depth + 1)
            between = comma
        yield line + ("}" if named else "]")


def _members(tree: "list[_Tree] | dict[str, _Tree]", *, sort_keys: bool) -> "list[tuple[str, _Tree]]":
    if isinstance(tree, list):
        return [("", value) for value in tree]
    return sorted(tree.items(), key=lambda pair: pair[0]) if sort_keys else list(tree.items())
