"""Numbers of the calculator: whole ones are exact, all others have fifty digits."""

from collections.abc import Callable, Mapping
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from typing import TypeAlias

from par.errors import ToolFailed

__all__ = ["MATH", "Number", "apply", "as_decimal", "guarded", "negated", "text_of"]

Number: TypeAlias = int | Decimal

_MOST_BITS = 4096
"""About 1200 digits: all that a model can use, and far below what the interpreter refuses to write."""
_MOST_EXPONENT = 9999
_SHOWN_DIGITS = 30
"""Twenty fewer than are computed, so that rounding errors stay out of sight: sqrt(2)**2 is shown as 2."""
_PLAIN_BELOW, _PLAIN_ABOVE = 30, -15
"""The powers of ten between which a number is written without an exponent."""

MATH = Context(
    prec=50,
    rounding=ROUND_HALF_UP,
    Emin=-_MOST_EXPONENT,
    Emax=_MOST_EXPONENT,
    traps=[DivisionByZero, InvalidOperation, Overflow],
)
"""Never changed; the methods of a context that compute do change its flags, so use a copy: ``MATH.copy()``."""

_EXACT = Context(prec=2 * _MOST_EXPONENT + 2 * _MOST_BITS, Emin=-4 * _MOST_EXPONENT, Emax=4 * _MOST_EXPONENT)
"""Loses nothing of a difference between the largest and the smallest number."""


def as_decimal(value: Number) -> Decimal:
    """Return the number as a decimal, exactly."""
    return value if isinstance(value, Decimal) else Decimal(value)


def negated(value: Number) -> Number:
    """Return the number with the other sign; a decimal's own minus would round to the digits of the thread."""
    return value.copy_negate() if isinstance(value, Decimal) else -value


def guarded(compute: Callable[[Context], Decimal], what: str) -> Decimal:
    """Compute with fifty digits; ``what`` names the computation in errors.

    Raises:
        ToolFailed: if the result is too large, or is no real number.
    """
    try:
        return compute(MATH.copy())
    except DivisionByZero:
        raise ToolFailed(f"{what} divides by zero, which has no result.") from None
    except Overflow:
        raise ToolFailed(f"{what} is too large: results have at most {_MOST_EXPONENT} digits.") from None
    except DecimalException:
        raise ToolFailed(f"{what} has no result among the real numbers.") from None


def _whole(value: int, what: str) -> int:
    if value.bit_length() > _MOST_BITS:
        raise ToolFailed(
            f"{what} is too large to be exact: whole numbers have at most {_MOST_BITS} bits. "
            "Write a decimal point in one of the numbers to compute with fifty digits."
        )
    return value


def _divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return guarded(lambda context: context.divide(as_decimal(left), as_decimal(right)), "This division")


def _floor_divide(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    _check_quotient(left, right)
    context = _EXACT.copy()
    rest = as_decimal(_remainder(left, right))
    return int(context.to_integral_value(context.divide(context.subtract(as_decimal(left), rest), as_decimal(right))))


def _remainder(left: Number, right: Number) -> Number:
    """Return what is left over, with the sign of the divisor, as in Python."""
    if isinstance(left, int) and isinstance(right, int):
        return left % right
    _check_quotient(left, right)
    dividend, divisor = as_decimal(left), as_decimal(right)
    context = _EXACT.copy()
    rest = context.remainder(dividend, divisor)
    if rest and rest.is_signed() != divisor.is_signed():
        rest = context.add(rest, divisor)
    return guarded(lambda rounding: rounding.plus(rest), "This remainder")


def _check_quotient(left: Number, right: Number) -> None:
    dividend, divisor = as_decimal(left), as_decimal(right)
    if dividend and dividend.adjusted() - divisor.adjusted() >= MATH.prec:
        raise ToolFailed(
            f"The whole part of this division has more than {MATH.prec} digits: // and % have no exact result."
        )


def _power(base: Number, exponent: Number) -> Number:
    if exponent == 0:
        return 1
    if base == 0 and exponent < 0:
        raise ToolFailed("Zero to a negative power divides by zero, which has no result.")
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        # the size is known before anything is computed: 9**9**9 ends here
        if abs(base) > 1 and (abs(base).bit_length() - 1) * exponent > _MOST_BITS:
            raise ToolFailed(
                f"This power is too large to be exact: whole numbers have at most {_MOST_BITS} bits. "
                "Write a decimal point in the base to compute with fifty digits."
            )
        odd = exponent % 2 == 1
        return (base if odd or base >= 0 else 1) if abs(base) <= 1 else _whole(base**exponent, "This power")
    return guarded(lambda context: context.power(as_decimal(base), as_decimal(exponent)), "This power")


def _add(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return _whole(left + right, "This sum")
    return guarded(lambda context: context.add(as_decimal(left), as_decimal(right)), "This sum")


def _multiply(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        return _whole(left * right, "This product")
    return guarded(lambda context: context.multiply(as_decimal(left), as_decimal(right)), "This product")


_OPERATIONS: Mapping[str, Callable[[Number, Number], Number]] = {
    "+": _add,
    "-": lambda left, right: _add(left, negated(right)),
    "*": _multiply,
    "/": _divide,
    "//": _floor_divide,
    "%": _remainder,
    "**": _power,
}


def apply(sign: str, left: Number, right: Number, position: int) -> Number:
    """Return the result of one operation; ``position`` says where its sign stands.

    Raises:
        ToolFailed: if there is no result, or too large a one.
    """
    if right == 0 and sign in {"/", "//", "%"}:
        raise ToolFailed(f"Division by zero: the divisor of {sign!r} at position {position} is 0.")
    return _OPERATIONS[sign](left, right)


def text_of(value: Number) -> str:
    """Write a result: whole numbers in full, others with up to thirty digits and no zeros that say nothing."""
    if isinstance(value, int):
        return str(value)
    shown = Context(prec=_SHOWN_DIGITS, rounding=ROUND_HALF_UP, Emin=-_MOST_EXPONENT, Emax=_MOST_EXPONENT)
    rounded = shown.plus(value).normalize(shown)
    if not rounded:
        return "0"
    if _PLAIN_ABOVE <= rounded.adjusted() < _PLAIN_BELOW:
        return f"{rounded:f}"
    return str(rounded)
