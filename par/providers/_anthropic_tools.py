"""The tools of a request and the choice among them.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use
"""

from collections.abc import Iterable, Sequence
from typing import final

import attrs

from par._json import Json, JsonObject
from par.calls import OutputSpec, Settings, ToolNames, ToolSpec
from par.errors import UsageError
from par.messages import Opaque
from par.providers._anthropic_blocks import PROVIDER
from par.providers._anthropic_profile import Profile
from par.providers._anthropic_refusals import Refusals
from par.providers._anthropic_schema import closed_schema
from par.providers._provided_tools import with_provided
from par.providers._reading import string
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["ToolForms", "answer_tool", "tool_choice"]


@attrs.frozen
class _Specs:
    """The forms of an agent's tools, and those that shall be strict and cannot."""

    forms: tuple[Wired, ...]
    loose: tuple[str, ...]


@final
class ToolForms:
    """Gives the wire form of tools; the form of one tuple of tools is built once."""

    __slots__ = ("_own", "_provided", "_strict")

    def __init__(self, profile: Profile) -> None:
        self._strict = profile.strict_tools
        self._own: WireCache[tuple[ToolSpec, ...], _Specs] = WireCache(self._build)
        self._provided: WireCache[tuple[Opaque, ...], tuple[Wired, ...]] = WireCache(_entries)

    def get(self, specs: tuple[ToolSpec, ...], provided: tuple[Opaque, ...], refusals: Refusals) -> list[Wired]:
        """Return the tools of a request: the agent's own, then those of the provider.

        An entry of ``provided`` that has the name of an own tool does not follow them: it says more of that tool
        (``defer_loading``, ``eager_input_streaming``, ``cache_control``...), or, if it has a ``type`` of its own
        (``memory_20250818``), takes its place.

        Raises:
            UsageError: if a tool shall be strict and cannot be, unless the profile drops that.
        """
        forms: list[Wired] = []
        if specs:
            own = self._own.get(specs)
            for name in own.loose:
                refusals.refuse("strict", f"the tool {name!r} cannot be strict: {self._why()}")
            forms.extend(own.forms)
        return with_provided(forms, self._provided.get(provided), "custom") if provided else forms

    def _why(self) -> str:
        if not self._strict:
            return "the model has no strict tools"
        return "its schema is recursive or has objects with open keys"

    def _build(self, specs: tuple[ToolSpec, ...]) -> _Specs:
        forms: list[Wired] = []
        loose: list[str] = []
        for spec in specs:
            form: JsonObject = {
                "name": spec.name,
                "description": spec.description,
                "input_schema": spec.parameters,
            }
            if spec.strict:
                schema = closed_schema(spec.parameters) if self._strict else None
                if schema is None:
                    loose.append(spec.name)
                else:
                    form |= {"input_schema": schema, "strict": True}
            forms.append(Wired(form))
        return _Specs(tuple(forms), tuple(loose))


def _entries(provided: tuple[Opaque, ...]) -> tuple[Wired, ...]:
    return tuple([Wired(entry.data) for entry in provided if entry.provider == PROVIDER])


def answer_tool(output: OutputSpec, taken: Iterable[ToolSpec]) -> Wired:
    """Return the tool that a model without an output format gives its answer to."""
    names = {spec.name for spec in taken}
    name = "final_answer"
    while name in names:
        name += "_"
    description = f"Give your final answer ({output.name}) by calling this tool. Call it once, when you are done."
    return Wired({"name": name, "description": description, "input_schema": output.schema})


def tool_choice(
    settings: Settings, tools: Sequence[Wired], answer: Wired | None, profile: Profile, refusals: Refusals
) -> tuple[list[Wired], JsonObject]:
    """Return the tools that are offered, and the choice among them; an empty choice leaves it to the model.

    The API can require any tool or one tool by name, and has no list of several. So where ``ToolNames`` names
    several, these alone are offered and any of them is required: the model cannot call another, which is what was
    asked for, at the price of another beginning for the prompt cache. The same holds for names of which none is
    required.

    Raises:
        UsageError: for a name that no tool has, for a required tool where there are none, and where the model
            refuses to be forced, unless the profile drops that.
    """
    offered = list(tools)
    wanted = settings.tool_choice
    choice: JsonObject
    if isinstance(wanted, ToolNames):
        named = set(wanted.names)
        unknown = named.difference(string(tool.get("name")) for tool in tools)
        if unknown:
            raise UsageError(f"tool_choice names tools that are not there: {', '.join(sorted(unknown))}")
        if wanted.required and len(named) == 1:
            choice = {"type": "tool", "name": wanted.names[0]}
        else:
            offered = [tool for tool in tools if string(tool.get("name")) in named]
            choice = {"type": "any" if wanted.required else "auto"}
    elif wanted == "required":
        if not tools:
            raise UsageError('tool_choice is "required" and there are no tools')
        choice = {"type": "any"}
    else:
        choice = {"type": wanted}
    if answer is not None:
        choice = _with_answer(choice, offered, answer, profile, refusals)
    if choice["type"] in ("any", "tool") and not profile.forced_tools:
        refusals.refuse("tool_choice", "the model cannot be forced to call a tool")
        choice = {"type": "auto"}
    if not settings.parallel_tool_uses and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return offered, ({} if choice == {"type": "auto"} or not offered else choice)


def _with_answer(
    choice: JsonObject, offered: list[Wired], answer: Wired, profile: Profile, refusals: Refusals
) -> JsonObject:
    """Offer the tool that takes the answer; it counts as a tool where one is required."""
    alone: Json = answer["name"]
    if choice["type"] == "none":
        # the others stay in sight, since the history may speak of them
        choice = {"type": "tool", "name": alone}
    elif choice["type"] == "auto" and profile.forced_tools and not refusals.thinks:
        choice = {"type": "any"}
    offered.append(answer)
    return choice
