"""The closed set of commands, and the table from tag to class."""

from types import MappingProxyType
from typing import Final, TypeAlias, cast

import attrs

from par._json import Json, JsonObject
from par.tools.bash._commands.from_json import built
from par.tools.bash._commands.kinds import json_value, kind_of
from par.tools.bash._commands.leaves import LEAVES, Leaf, place_problem
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.refusals import Problem, refusal

__all__ = ["COMMANDS", "Command", "command_to_json", "rebuilt", "schema_of", "stages_of"]

Command: TypeAlias = Leaf | Pipeline

COMMANDS: Final[MappingProxyType[str, type[Command]]] = MappingProxyType({**LEAVES, "pipeline": Pipeline})


def stages_of(command: Command) -> tuple[Leaf, ...]:
    """Return the commands that a command consists of: itself, or the stages of a pipeline."""
    return command.stages if isinstance(command, Pipeline) else (command,)


def rebuilt(command: object) -> Command:
    """Return ``command`` built anew from its fields, so that one forged without its checks is refused.

    Raises:
        CommandRefused: if it is none of the commands, breaks a rule, or cannot stand alone.
    """
    kind = type(command)
    for known in COMMANDS.values():
        if kind is known:
            again = _again(command, known)
            problem = None if isinstance(again, Pipeline) else place_problem(again, "alone")
            if problem is not None:
                raise refusal([problem])
            return again
    raise refusal([Problem(code="unknown_op", field="command", problem=f"a {kind.__name__} is not a command.")])


def _again(command: object, kind: type[Command]) -> Command:
    names = [field.name for field in attrs.fields(kind)]
    absent = [name for name in names if not hasattr(command, name)]
    if absent:
        raise refusal([Problem(code="missing_field", field=absent[0], problem="the command lacks a field.")])
    fields: dict[str, object] = {name: getattr(command, name) for name in names}
    if kind is Pipeline and type(fields["stages"]) is tuple:
        fields["stages"] = tuple(map(_stage_again, cast("tuple[object, ...]", fields["stages"])))  # checked just now
    return built(kind, fields)


def _stage_again(stage: object) -> object:
    for known in LEAVES.values():
        if type(stage) is known:
            return _again(stage, known)
    return stage  # which the pipeline's own check refuses


def command_to_json(command: Command) -> JsonObject:
    """Return the JSON form of a command: its tag and every field that differs from its default."""
    return cast("JsonObject", json_value(command))  # a command's JSON form is an object


def schema_of(kind: type[Command]) -> JsonObject:
    """Return the JSON Schema of one command, with its tag as a constant."""
    properties: JsonObject = {"op": {"type": "string", "const": kind.op}}
    required: list[Json] = ["op"]
    for field in attrs.fields(kind):
        properties[field.name] = kind_of(field).schema()
        if field.default is attrs.NOTHING:
            required.append(field.name)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
