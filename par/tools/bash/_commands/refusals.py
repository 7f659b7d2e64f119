"""How a refusal is put into words: what arrived, why it cannot be, what to send instead."""

import json
from collections.abc import Sequence
from difflib import get_close_matches

import attrs

from par.errors import CommandRefused

__all__ = ["Problem", "describe", "nearest", "quote", "refusal"]

_SHOWN = 80
_MOST = 5


@attrs.frozen(kw_only=True)
class Problem:
    """One thing that is wrong with a command, at one field."""

    code: str
    field: str
    problem: str
    remedy: str = ""


def refusal(problems: Sequence[Problem]) -> CommandRefused:
    """Return one error for all problems of a call; it has the code of the first and tells up to five."""
    first, others = problems[0], problems[1:_MOST]
    remedy = first.remedy
    for other in others:
        words = f"[bash:{other.code}] at {other.field}: {other.problem}" + (f" {other.remedy}" if other.remedy else "")
        remedy += f"{' ' if remedy else ''}Also {words}"
    return CommandRefused(first.code, first.problem, field=first.field, remedy=remedy)


def quote(text: str) -> str:
    """Return at most 80 characters of ``text`` in quotes, with everything unusual escaped."""
    shown = json.dumps(text[:_SHOWN])
    return shown if len(text) <= _SHOWN else f"{shown} (shortened, {len(text)} characters)"


def describe(value: object) -> str:
    """Say what a JSON value is, in words that help to correct it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    if isinstance(value, int):
        return f"the number {value}" if abs(value) < 10**20 else "a number of more than 20 digits"
    if isinstance(value, float):
        return f"the number {value}"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, dict) else f"a value of type {type(value).__name__}"


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the entry of ``known`` that looks most like ``word``."""
    found = get_close_matches(word[:_SHOWN].casefold(), known, n=1, cutoff=0.6)
    return found[0] if found else None
