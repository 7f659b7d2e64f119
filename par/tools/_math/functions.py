"""Functions and constants that an expression may name."""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import TypeAlias

import attrs

from par.errors import ToolFailed
from par.tools._math.numbers import MATH, Number, as_decimal, guarded

__all__ = ["CONSTANTS", "FUNCTIONS", "Function"]

_Compute: TypeAlias = Callable[[Sequence[Number]], Number]

_PI = Decimal(
    "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706798215"
)
_E = Decimal("2.71828182845904523536028747135266249775724709369996")
_ANGLE_DIGITS = 20
"""Angles go to 10**20: of their fifty digits, thirty then stand behind the point."""
_SERIES = Context(prec=100, rounding=ROUND_HALF_UP)
_MOST_PLACES = 1000

CONSTANTS: Mapping[str, Number] = {"pi": MATH.copy().plus(_PI), "e": MATH.copy().plus(_E)}


@attrs.frozen
class Function:
    """A function of ``least`` to ``most`` numbers."""

    compute: _Compute
    least: int
    most: int


def _one(name: str, compute: Callable[[Context, Decimal], Decimal]) -> Function:
    def computed(numbers: Sequence[Number]) -> Number:
        return guarded(lambda context: compute(context, as_decimal(numbers[0])), f"{name}(...)")

    return Function(computed, 1, 1)


def _whole(rounding: str) -> Function:
    def computed(numbers: Sequence[Number]) -> Number:
        value = numbers[0]
        if isinstance(value, int):
            return value
        whole = value.to_integral_value(rounding=rounding)
        return int(whole) if whole.adjusted() < MATH.prec else whole

    return Function(computed, 1, 1)


def _round(numbers: Sequence[Number]) -> Number:
    value = numbers[0]
    places = numbers[1] if len(numbers) > 1 else 0
    if not isinstance(places, int) or abs(places) > _MOST_PLACES:
        raise ToolFailed(f"round(...) takes a whole number of places from -{_MOST_PLACES} to {_MOST_PLACES}.")
    decimal = as_decimal(value)
    exponent = decimal.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -places:  # it has no digits behind that place
        return value
    exact = Context(prec=2 * _MOST_PLACES + MATH.Emax, rounding=ROUND_HALF_UP)
    rounded = decimal.quantize(Decimal(1).scaleb(-places), context=exact)
    return int(rounded) if places <= 0 else MATH.copy().plus(rounded)


def _logarithm(numbers: Sequence[Number]) -> Number:
    decimals = [as_decimal(number) for number in numbers]
    if any(number <= 0 for number in decimals) or (len(decimals) > 1 and decimals[1] == 1):
        raise ToolFailed("log(x) and log(x, base) take numbers greater than 0, and no base 1.")
    if len(decimals) == 1:
        return guarded(lambda context: context.ln(decimals[0]), "log(...)")
    return guarded(lambda context: context.divide(context.ln(decimals[0]), context.ln(decimals[1])), "log(...)")


def _root(context: Context, value: Decimal) -> Decimal:
    if value < 0:
        raise ToolFailed("sqrt(...) takes numbers of 0 and more: negative ones have no real root.")
    return context.sqrt(value)


def _sine_and_cosine(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Add up the two series (Abramowitz and Stegun, 4.3.65 and 4.3.66), after whole turns are taken off.

    The angle has fifty digits, so digits behind its last one are noise: they are cut, and sin(pi) is 0.
    """
    if angle.adjusted() >= _ANGLE_DIGITS:
        raise ToolFailed(f"Angles are less than 10**{_ANGLE_DIGITS}, in radians.")
    context = _SERIES.copy()
    turn = context.multiply(_PI, 2)
    rest = context.remainder_near(angle, turn)
    square = context.multiply(rest, rest)
    sums: list[Decimal] = []
    for first, step in ((rest, 1), (Decimal(1), 0)):
        term = total = first
        count = step
        while term and term.adjusted() > total.adjusted() - _SERIES.prec and count < 2 * _SERIES.prec:
            term = context.divide(context.multiply(term, square), -(count + 1) * (count + 2))
            total = context.add(total, term)
            count += 2
        sums.append(total)
    last = Decimal(1).scaleb(max(angle.adjusted(), 0) - MATH.prec + 3)
    if angle.adjusted() < -1:  # a small angle is a small sine, all of whose digits count
        return sums[0], sums[1]
    return sums[0].quantize(last, context=context), sums[1].quantize(last, context=context)


def _tangent(context: Context, angle: Decimal) -> Decimal:
    sine, cosine = _sine_and_cosine(angle)
    if not cosine:
        raise ToolFailed("tan(...) has no result where the cosine is 0.")
    return context.divide(sine, cosine)


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(lambda numbers: abs(numbers[0]) if isinstance(numbers[0], int) else numbers[0].copy_abs(), 1, 1),
    "ceil": _whole(ROUND_CEILING),
    "cos": _one("cos", lambda context, value: context.plus(_sine_and_cosine(value)[1])),
    "exp": _one("exp", lambda context, value: context.exp(value)),
    "floor": _whole(ROUND_FLOOR),
    "log": Function(_logarithm, 1, 2),
    "max": Function(max, 1, 50),
    "min": Function(min, 1, 50),
    "round": Function(_round, 1, 2),
    "sin": _one("sin", lambda context, value: context.plus(_sine_and_cosine(value)[0])),
    "sqrt": _one("sqrt", _root),
    "tan": _one("tan", _tangent),
}
