"""Compute an expression while it is read, by recursive descent; nothing is handed to Python's own parser."""

from collections.abc import Sequence
from typing import final

from par.errors import ToolFailed
from par.tools._math.functions import CONSTANTS, FUNCTIONS
from par.tools._math.numbers import Number, apply, negated
from par.tools._math.tokens import Token, read_number, tokens

__all__ = ["MOST_CHARACTERS", "compute"]

MOST_CHARACTERS = 1000
_MOST_NESTING = 40
"""Parentheses in parentheses, and powers of powers; each level is about six calls deep."""


def compute(expression: str) -> Number:
    """Return the value of an expression.

    Signs bind as in Python: ``-2**2`` is -4, ``2**3**2`` is ``2**9``, and ``//`` and ``%`` round down.

    Raises:
        ToolFailed: with the position and a remedy, if the text is no expression or has no result.
    """
    if len(expression) > MOST_CHARACTERS:
        raise ToolFailed(f"The expression has {len(expression)} characters; at most {MOST_CHARACTERS} are read.")
    return _Parser(tokens(expression)).whole()


@final
class _Parser:
    """Reads pieces from left to right."""

    def __init__(self, pieces: Sequence[Token]) -> None:
        self._pieces = pieces
        self._place = 0
        self._depth = 0

    @property
    def _next(self) -> Token:
        return self._pieces[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += 1
        return token

    def _at(self, *signs: str) -> bool:
        return self._next.kind == "sign" and self._next.text in signs

    def whole(self) -> Number:
        value = self._sum()
        if self._next.kind != "end":
            raise self._surprise("an operator or the end")
        return value

    def _surprise(self, expected: str) -> ToolFailed:
        token = self._next
        if token.kind == "end":
            return ToolFailed(f"The expression ends at position {token.position}, where {expected} is expected.")
        hint = " Write numbers without thousands separators." if token.text == "," and not self._depth else ""
        if expected.startswith("an operator") and (token.kind != "sign" or token.text == "("):
            hint = " Write * for multiplication."
        return ToolFailed(f"{token.text!r} at position {token.position} is not {expected}.{hint}")

    def _sum(self) -> Number:
        value = self._product()
        while self._at("+", "-"):
            sign = self._take()
            value = apply(sign.text, value, self._product(), sign.position)
        return value

    def _product(self) -> Number:
        value = self._signed()
        while self._at("*", "/", "//", "%"):
            sign = self._take()
            value = apply(sign.text, value, self._signed(), sign.position)
        return value

    def _signed(self) -> Number:
        negative = False
        while self._at("+", "-"):  # a loop, so that a thousand signs need no deep stack
            negative ^= self._take().text == "-"
        value = self._power()
        return negated(value) if negative else value

    def _power(self) -> Number:
        base = self._single()
        if not self._at("**"):
            return base
        sign = self._take()
        self._enter(sign)
        exponent = self._signed()  # which reads further powers, so that they bind from the right
        self._depth -= 1
        return apply("**", base, exponent, sign.position)

    def _single(self) -> Number:
        token = self._next
        if token.kind == "number":
            return read_number(self._take())
        if token.kind == "name":
            return self._named(self._take())
        if self._at("("):
            self._enter(self._take())
            value = self._sum()
            self._close(token)
            return value
        raise self._surprise("a number, a name or a parenthesis")

    def _named(self, name: Token) -> Number:
        if name.text in CONSTANTS:
            return CONSTANTS[name.text]
        function = FUNCTIONS.get(name.text)
        if function is None:
            known = ", ".join([*FUNCTIONS, *CONSTANTS])
            raise ToolFailed(f"{name.text!r} at position {name.position} is not known. There are {known}.")
        if not self._at("("):
            raise self._surprise(f"the parenthesis that must follow {name.text}")
        opening = self._take()
        numbers = self._arguments(opening)
        if not function.least <= len(numbers) <= function.most:
            raise ToolFailed(
                f"{name.text} at position {name.position} takes "
                f"{_count(function.least, function.most)}, not {len(numbers)}."
            )
        return function.compute(numbers)

    def _arguments(self, opening: Token) -> list[Number]:
        self._enter(opening)
        numbers: list[Number] = []
        if not self._at(")"):
            numbers.append(self._sum())
            while self._at(","):
                self._take()
                numbers.append(self._sum())
        self._close(opening)
        return numbers

    def _enter(self, token: Token) -> None:
        self._depth += 1
        if self._depth > _MOST_NESTING:
            raise ToolFailed(
                f"The expression nests deeper than {_MOST_NESTING} levels at position {token.position}: split it."
            )

    def _close(self, opening: Token) -> None:
        if not self._at(")"):
            raise self._surprise(f"an operator or the ')' for the '(' at position {opening.position}")
        self._take()
        self._depth -= 1


def _count(least: int, most: int) -> str:
    if least == most:
        return f"{least} number{'' if least == 1 else 's'}"
    return f"{least} to {most} numbers"
