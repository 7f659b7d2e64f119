"""What each family of Claude models accepts, as data that can be replaced.

Sources: https://platform.claude.com/docs/en/build-with-claude/effort, /extended-thinking, /adaptive-thinking,
/structured-outputs, and the migration guides of Claude Opus 4.7 and Claude 5. Written without asking live
servers: a row that has become wrong is replaced with ``profile=``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

import attrs

from par._json import Json, JsonObject
from par.errors import UsageError

__all__ = ["Droppable", "Profile", "profile_of"]

Droppable: TypeAlias = Literal["reasoning_effort", "seed", "strict", "temperature", "tool_choice", "top_p"]
"""A setting that some model refuses. ``strict`` is the one of a tool."""

_NO_EFFORTS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_BUDGETS: Final[Mapping[str, int]] = MappingProxyType({})
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType({
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
})
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType({
    "minimal": 1024,  # the least that the API takes
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 31999,
})


def _droppable(value: "frozenset[Droppable]") -> "frozenset[Droppable]":
    names = frozenset(value)
    unknown = sorted(names - set(get_args(Droppable)))
    if unknown:
        raise UsageError(f"{', '.join(unknown)} cannot be dropped; these can: {', '.join(get_args(Droppable))}")
    return names


@attrs.frozen(kw_only=True)
class Profile:
    """What a model accepts. The default accepts everything, thinks by budget, and is asked for output in words.

    ``efforts`` gives the ``output_config.effort`` of each ``reasoning_effort``, and ``thinking`` the ``thinking`` that
    goes with it. A model that ``thinking`` is ``None`` for thinks by ``budgets``, in tokens for each
    ``reasoning_effort``. An effort in neither table is refused.

    ``output`` says how an output type is asked for: by the API's own format, by a tool that the model gives its
    answer to, or in words. A schema that the API cannot hold a model to (it is recursive, or has objects with open
    keys) is asked for in words in any case.

    ``sampling`` says whether ``temperature`` and ``top_p`` are accepted: both at once, one of them, or none.
    ``forced_tools`` says whether a tool can be required, ``strict_tools`` whether tools can be strict.

    ``drops`` names the settings that are left out, with a ``SettingDropped`` event, where the model refuses them. For
    the others it is an error, before anything is sent.

    Raises:
        ValueError: for words that are none of these.
    """

    efforts: Mapping[str, str] = _NO_EFFORTS
    thinking: JsonObject | None = None
    budgets: Mapping[str, int] = _BUDGETS
    output: Literal["native", "tool", "words"] = attrs.field(
        default="words", validator=attrs.validators.in_(("native", "tool", "words"))
    )
    sampling: Literal["both", "one", "none"] = attrs.field(
        default="both", validator=attrs.validators.in_(("both", "one", "none"))
    )
    forced_tools: bool = True
    strict_tools: bool = True
    drops: frozenset[Droppable] = attrs.field(default=frozenset[Droppable](), converter=_droppable)


def _thinking(**more: Json) -> JsonObject:
    return {"type": "adaptive", **more}


_OLDEST = Profile(budgets=_NO_BUDGETS, strict_tools=False, drops=frozenset({"strict"}))
_BUDGET = Profile(strict_tools=False, drops=frozenset({"strict"}))
_OPUS_4_1 = Profile(output="native", sampling="one")
# their own scale ends with "max", where the newer ones have "xhigh" before it
_ADAPTIVE = Profile(efforts={**_EFFORTS, "xhigh": "max"}, thinking=_thinking(), output="native", sampling="one")
_NEWEST = Profile(
    efforts=_EFFORTS,
    # they keep their thoughts to themselves unless they are asked
    thinking=_thinking(display="summarized"),
    output="native",
    sampling="none",
    drops=frozenset({"temperature", "top_p"}),
)
_UNFORCED = attrs.evolve(_NEWEST, forced_tools=False)

_OF_FAMILY: Final[tuple[tuple[str, Profile], ...]] = (
    ("claude-2", _OLDEST),
    ("claude-3-7", _BUDGET),
    ("claude-3", _OLDEST),
    ("claude-instant", _OLDEST),
    ("claude-opus-4-1", _OPUS_4_1),
    ("claude-opus-4-5", _OPUS_4_1),
    ("claude-sonnet-4-5", _OPUS_4_1),
    ("claude-haiku-4-5", _OPUS_4_1),
    ("claude-opus-4-6", _ADAPTIVE),
    ("claude-sonnet-4-6", _ADAPTIVE),
    ("claude-opus-4-7", _NEWEST),
    ("claude-opus-4-8", _NEWEST),
    # claude-opus-4-20250514, and its short name
    ("claude-opus-4", _BUDGET),
    ("claude-sonnet-4", _BUDGET),
    ("claude-fable-5-1", _UNFORCED),
    ("claude-mythos", _UNFORCED),
    ("claude", _NEWEST),
)
"""The first name that a model's name begins with; whoever is not here is no Claude model."""


def profile_of(model: str) -> Profile:
    """Return what is known of a model by its name; names of other clouds count too.

    A Claude model that is newer than this table is taken for one of the newest, a model of another maker for one that
    accepts everything.
    """
    start = model.find("claude")  # "us.anthropic.claude-…", "anthropic/claude-…", "claude-…@20250929"
    name = model[start:] if start >= 0 else ""
    return next((profile for family, profile in _OF_FAMILY if name.startswith(family)), Profile())
