"""Tools that compute: a calculator, and temperatures."""

from par.tools._math.tools import (
    Calculation,
    Temperature,
    TemperatureUnit,
    calculator,
    convert_temperature,
    math_tools,
)

__all__ = ["Calculation", "Temperature", "TemperatureUnit", "calculator", "convert_temperature", "math_tools"]
