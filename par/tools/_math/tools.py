"""The tools that compute."""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Literal, TypeAlias

import attrs

from par import AgentTool, Param, tool
from par.errors import ToolFailed
from par.tools._math.numbers import text_of
from par.tools._math.parser import MOST_CHARACTERS, compute

__all__ = ["Calculation", "Temperature", "TemperatureUnit", "calculator", "convert_temperature", "math_tools"]

TemperatureUnit: TypeAlias = Literal["celsius", "fahrenheit", "kelvin"]

_ABSOLUTE_ZERO = Decimal("273.15")
_SHOWN = Context(prec=12, rounding=ROUND_HALF_UP)
"""A double holds fifteen digits; twelve show no noise of its binary fractions."""


@attrs.frozen(kw_only=True)
class Calculation:
    """What ``calculator`` returns; the result is text, because JSON's numbers would lose digits."""

    expression: str
    result: str


@attrs.frozen(kw_only=True)
class Temperature:
    """What ``convert_temperature`` returns."""

    value: float
    unit: TemperatureUnit


@tool(
    description=(
        "Compute an arithmetic expression: + - * / // % **, parentheses, sqrt, abs, round, min, max, floor, ceil, "
        "log(x), log(x, base), exp, sin, cos, tan (radians), pi, e. Whole numbers are exact, % is the remainder."
    ),
    effect="read",
    timeout=5.0,
)
def calculator(
    expression: Annotated[
        str,
        Param(
            description="for example: (1 + 2.5e3) * sqrt(16) - 7 % 4",
            min_length=1,
            max_length=MOST_CHARACTERS,
        ),
    ],
) -> Calculation:
    """Compute an arithmetic expression.

    Whole numbers stay exact, up to 4096 bits; all others have thirty correct digits. ``%`` is the remainder, with the
    sign of the divisor; ``round`` takes halves away from zero. Nothing but the calculator's own grammar is read, and
    the size of a power is checked before it is computed.
    """
    return Calculation(expression=expression, result=text_of(compute(expression)))


@tool(effect="read", timeout=5.0)
def convert_temperature(
    value: Annotated[float, Param(description="degrees, or kelvins", ge=-1e15, le=1e15)],
    from_unit: Annotated[TemperatureUnit, Param(description="the unit of value")],
    to_unit: Annotated[TemperatureUnit, Param(description="the unit wanted")],
) -> Temperature:
    """Convert a temperature between celsius, fahrenheit and kelvin."""
    kelvin = _to_kelvin(Decimal(repr(value)), from_unit)
    if kelvin < 0:
        raise ToolFailed(f"{value:g} {from_unit} is below absolute zero, which is -273.15 celsius.")
    return Temperature(value=float(_SHOWN.copy().plus(_from_kelvin(kelvin, to_unit))), unit=to_unit)


def _to_kelvin(value: Decimal, unit: TemperatureUnit) -> Decimal:
    if unit == "kelvin":
        return value
    return _ABSOLUTE_ZERO + (value if unit == "celsius" else (value - 32) * 5 / 9)


def _from_kelvin(kelvin: Decimal, unit: TemperatureUnit) -> Decimal:
    if unit == "kelvin":
        return kelvin
    celsius = kelvin - _ABSOLUTE_ZERO
    return celsius if unit == "celsius" else celsius * 9 / 5 + 32


def math_tools() -> tuple[AgentTool[object], ...]:
    """Return ``calculator`` and ``convert_temperature``."""
    return (calculator, convert_temperature)
