"""Cut an expression into numbers, names and signs."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

from par.errors import ToolFailed
from par.tools._math.numbers import MATH, Number

__all__ = ["Token", "read_number", "tokens"]

Kind: TypeAlias = Literal["number", "name", "sign", "end"]

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGN = re.compile(r"\*\*|//|[-+*/%(),]")
_SPACE = re.compile(r"[ \t\r\n]+")
_MOST_EXPONENT_DIGITS = 6

_INSTEAD: Mapping[str, str] = {
    "^": "Write ** for powers.",
    "×": "Write * for multiplication.",
    "·": "Write * for multiplication.",
    "÷": "Write / for division.",
    "−": "Write the plain hyphen - for minus.",
    "–": "Write the plain hyphen - for minus.",
    "√": "Write sqrt(...) for roots.",
    "π": "Write pi.",
    "=": "There are no equations: write only the side to compute.",
    "!": "There are no factorials.",
    "[": "Write round parentheses.",
    "{": "Write round parentheses.",
    "$": "Leave out units and currencies.",
    "€": "Leave out units and currencies.",
}


@attrs.frozen
class Token:
    """One piece of an expression; ``position`` counts characters from 1."""

    kind: Kind
    text: str
    position: int


def tokens(expression: str) -> list[Token]:
    """Return the pieces in order, with one of kind ``end`` behind them.

    Raises:
        ToolFailed: for a character that no expression has, with its position.
    """
    found: list[Token] = []
    place = 0
    while place < len(expression):
        space = _SPACE.match(expression, place)
        if space is not None:
            place = space.end()
            continue
        token = _token(expression, place)
        found.append(token)
        place += len(token.text)
    return [*found, Token("end", "", len(expression) + 1)]


def _token(expression: str, place: int) -> Token:
    number = _NUMBER.match(expression, place)
    if number is not None:
        return Token("number", number[0], place + 1)
    name = _NAME.match(expression, place)
    if name is not None:
        return Token("name", name[0], place + 1)
    sign = _SIGN.match(expression, place)
    if sign is not None:
        return Token("sign", sign[0], place + 1)
    character = expression[place]
    hint = _INSTEAD.get(character, "Use numbers, + - * / // % **, parentheses, and the functions and constants named.")
    raise ToolFailed(f"{character!r} at position {place + 1} is not part of an expression. {hint}")


def read_number(token: Token) -> Number:
    """Return the value of a number: exact if it is whole, else rounded to fifty digits.

    Raises:
        ToolFailed: if its exponent is too large.
    """
    text = token.text
    if text.isdigit():
        return int(text)
    _, _, exponent = text.lower().partition("e")
    digits = exponent.lstrip("+-").lstrip("0")
    if len(digits) >= _MOST_EXPONENT_DIGITS or abs(Decimal(text).adjusted()) > MATH.Emax:
        raise ToolFailed(f"The number at position {token.position} is out of range: exponents go to {MATH.Emax}.")
    return MATH.copy().create_decimal(text)
