"""The tools of a request to the responses API, the choice among them, and the form of the output.

Source: https://platform.openai.com/docs/guides/function-calling?api-mode=responses
"""

from collections.abc import Container
from typing import final

from par._json import Json, JsonObject, dump_json
from par.calls import OutputSpec, Settings, ToolNames, ToolSpec
from par.errors import UsageError
from par.messages import Opaque
from par.providers._provided_tools import with_provided
from par.providers._reading import string
from par.providers._strict import fits_strict, schema_name
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["ToolForms", "choose", "output_format", "output_words"]


@final
class ToolForms:
    """Gives the wire form of tools; the form of one tuple of tools is built once."""

    __slots__ = ("_own", "_provided", "_strict", "_tags")

    def __init__(self, tags: Container[str], *, strict: bool) -> None:
        self._tags = tags
        self._strict = strict
        self._own: WireCache[tuple[ToolSpec, ...], tuple[Wired, ...]] = WireCache(self._functions)
        self._provided: WireCache[tuple[Opaque, ...], tuple[Wired, ...]] = WireCache(self._entries)

    def get(self, specs: tuple[ToolSpec, ...], provided: tuple[Opaque, ...]) -> list[Wired]:
        """Return the tools of a request: the agent's own, then those of the provider.

        An entry of ``provided`` that has the name of an own tool does not follow them: a function says more of that
        tool (``defer_loading``, say), and a tool of another type takes its place (a ``custom`` one, whose free text
        the own tool gets as its argument ``input``).
        """
        forms = list(self._own.get(specs)) if specs else []
        return with_provided(forms, self._provided.get(provided), "function") if provided else forms

    def _entries(self, provided: tuple[Opaque, ...]) -> tuple[Wired, ...]:
        return tuple([Wired(entry.data) for entry in provided if entry.provider in self._tags])

    def _functions(self, specs: tuple[ToolSpec, ...]) -> tuple[Wired, ...]:
        return tuple([self._function(spec) for spec in specs])

    def _function(self, spec: ToolSpec) -> Wired:
        wire: JsonObject = {"type": "function", "name": spec.name, "parameters": spec.parameters}
        if spec.description:
            wire["description"] = spec.description
        if self._strict and spec.strict is not None:
            wire["strict"] = spec.strict
        elif self._strict and not fits_strict(spec.parameters):
            # where nothing is said, the API makes a schema strict by requiring what it leaves optional
            wire["strict"] = False
        return Wired(wire)


def choose(settings: Settings, tools: list[Wired], *, several: bool) -> tuple[list[Wired], Json]:
    """Return the tools that are offered and the choice among them, ``None`` where it is left to the model.

    ``ToolNames`` may name a provider's tool too: by its name, its server's label, or its type. Without ``several``,
    the API's form for a choice of several tools, only those that are named are offered.

    Raises:
        UsageError: for a name that no tool has.
    """
    wanted = settings.tool_choice
    if not isinstance(wanted, ToolNames):
        return tools, None if wanted == "auto" else wanted
    entries = dict(map(_entry_of, tools))
    unknown = sorted(set(wanted.names).difference(entries))
    if unknown:
        raise UsageError(f"tool_choice names {', '.join(unknown)}, and there is no such tool")
    chosen: list[Json] = [entries[name] for name in wanted.names]
    if len(chosen) == 1 and wanted.required:
        return tools, chosen[0]
    mode = "required" if wanted.required else "auto"
    if several:
        # all tools are still sent, so that the beginning of the prompt stays as the cache has it
        return tools, {"type": "allowed_tools", "mode": mode, "tools": chosen}
    return [tool for tool in tools if _entry_of(tool)[0] in wanted.names], mode if wanted.required else None


def _entry_of(tool: JsonObject) -> tuple[str, JsonObject]:
    """Return the name of a tool, and what stands for it in a choice."""
    kind = string(tool.get("type"))
    for field in ("name", "server_label"):
        name = string(tool.get(field))
        if name:
            return name, {"type": kind, field: name}
    return kind, {"type": kind}


def output_format(output: OutputSpec) -> JsonObject:
    """Return the format that an answer of this type must have."""
    schema: JsonObject = {
        "type": "json_schema",
        "name": schema_name(output.name),
        "schema": output.schema,
        "strict": fits_strict(output.schema),
    }
    return {"format": schema}


def output_words(output: OutputSpec) -> str:
    """Return what asks for an answer of this type in words."""
    return (
        "Give your final answer as one JSON object that fits this JSON Schema, and write nothing beside it:\n"
        + dump_json(output.schema)
    )
