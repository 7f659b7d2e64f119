"""Types in a module whose annotations are all strings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, NotRequired, Required, TypedDict

import attrs

from par import Param


@attrs.frozen
class Place:
    city: Annotated[str, "the city"]
    near: Place | None = None


@dataclass
class Trip:
    stops: list[Place]
    days: Annotated[int, Param(ge=1)] = 3
    tags: set[str] = field(default_factory=set)


class Options(TypedDict):
    fast: bool
    note: NotRequired[str]
    size: Annotated[NotRequired[int], "how big"]


class Partial(TypedDict, total=False):
    a: int
    b: Required[int]


@dataclass
class Lost:
    x: Nowhere  # noqa: F821
