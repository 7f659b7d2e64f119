"""The tools of a request to the responses API, the choice among them, and the form of the output.

Source: https://platform.openai.com/docs/guides/function-calling?api-mode=responses
"""

from collections.abc import Container, Iterable
from typing import final

from par._json import Json, JsonObject
from par.calls import OutputSpec, Settings, ToolNames, ToolSpec
from par.errors import UsageError
from par.messages import Opaque
from par.providers._reading import string
from par.providers._strict import fits_strict, schema_name
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["ToolForms", "output_format", "tool_choice"]


@final
class ToolForms:
    """Gives the wire form of tools; the form of one tuple of tools is built once."""

    __slots__ = ("_own", "_provided", "_tags")

    def __init__(self, tags: Container[str]) -> None:
        self._tags = tags
        self._own: WireCache[tuple[ToolSpec, ...], tuple[Wired, ...]] = WireCache(_functions)
        self._provided: WireCache[tuple[Opaque, ...], tuple[Wired, ...]] = WireCache(self._entries)

    def get(self, specs: tuple[ToolSpec, ...], provided: tuple[Opaque, ...]) -> list[Wired]:
        """Return the tools of a request: the agent's own, then those of the provider.

        An entry of ``provided`` that has the name of an own tool does not follow them: a function says more of that
        tool (``defer_loading``, say), and a tool of another type takes its place (a ``custom`` one, whose free text
        the own tool gets as its argument ``input``).
        """
        forms = list(self._own.get(specs)) if specs else []
        if not provided:
            return forms
        places = {string(form.get("name")): place for place, form in enumerate(forms)}
        for entry in self._provided.get(provided):
            place = places.get(string(entry.get("name")))
            if place is None:
                forms.append(entry)
            elif entry.get("type") in (None, "function"):
                forms[place] = Wired({**forms[place], **entry})
            else:
                forms[place] = entry
        return forms

    def _entries(self, provided: tuple[Opaque, ...]) -> tuple[Wired, ...]:
        return tuple([Wired(entry.data) for entry in provided if entry.provider in self._tags])


def _functions(specs: tuple[ToolSpec, ...]) -> tuple[Wired, ...]:
    return tuple([_function(spec) for spec in specs])


def _function(spec: ToolSpec) -> Wired:
    wire: JsonObject = {"type": "function", "name": spec.name, "parameters": spec.parameters}
    if spec.description:
        wire["description"] = spec.description
    # where nothing is said, the API makes schemas strict by requiring what they leave optional
    wire["strict"] = fits_strict(spec.parameters) if spec.strict is None else spec.strict
    return Wired(wire)


def tool_choice(settings: Settings, tools: Iterable[Wired]) -> Json:
    """Return the choice among the tools of a request, ``None`` where it is left to the model.

    ``ToolNames`` may name a provider's tool too: by its name, its server's label, or its type.

    Raises:
        UsageError: for a name that no tool has.
    """
    wanted = settings.tool_choice
    if not isinstance(wanted, ToolNames):
        return None if wanted == "auto" else wanted
    entries = {name: entry for tool in tools for name, entry in _entries_of(tool)}
    unknown = [name for name in wanted.names if name not in entries]
    if unknown:
        raise UsageError(f"tool_choice names tools that are not there: {', '.join(sorted(unknown))}")
    chosen: list[Json] = [entries[name] for name in wanted.names]
    if len(chosen) == 1 and wanted.required:
        return chosen[0]
    # all tools are still sent, so that the beginning of the prompt stays as the cache has it
    return {"type": "allowed_tools", "mode": "required" if wanted.required else "auto", "tools": chosen}


def _entries_of(tool: JsonObject) -> Iterable[tuple[str, JsonObject]]:
    kind = string(tool.get("type"))
    for field in ("name", "server_label"):
        name = string(tool.get(field))
        if name:
            yield name, {"type": kind, field: name}
            return
    yield kind, {"type": kind}


def output_format(output: OutputSpec) -> JsonObject:
    """Return the format that an answer of this type must have."""
    schema: JsonObject = {
        "type": "json_schema",
        "name": schema_name(output.name),
        "schema": output.schema,
        "strict": fits_strict(output.schema),
    }
    return {"format": schema}
