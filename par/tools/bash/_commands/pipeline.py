"""A pipeline: a command that reads, and filters that each take what the one before writes."""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, cast

import attrs

from par._json import Json, JsonObject
from par.tools.bash._commands.from_json import built, checked, class_of
from par.tools.bash._commands.kinds import KIND, Flag
from par.tools.bash._commands.kinds_of_text import write_path
from par.tools.bash._commands.leaves import FILTERS, LEAVES, SOURCES, Leaf, Place, place_problem
from par.tools.bash._commands.refusals import Problem, describe
from par.tools.bash._commands.values import check, field_problems, joined

__all__ = ["Pipeline"]

_LEAST, _MOST = 2, 8


def _place(number: int) -> Place:
    return "later" if number else "first"


def _stage_problem(stage: object, place: Place) -> Problem | None:
    offered = sorted(FILTERS if place == "later" else SOURCES)
    kind = type(stage)
    if kind is dict:
        known = class_of(stage, LEAVES, offered)
        if isinstance(known, Problem):
            return known
        problems = checked(known, stage)
        if problems:
            return problems[0]
        fields = {str(key): held for key, held in cast("dict[str, object]", stage).items() if key != "op"}
        leaf: Leaf = built(known, fields)
    elif any(kind is leaf_kind for leaf_kind in LEAVES.values()):
        leaf = cast("Leaf", stage)  # exactly one of the classes, as the line above says
        found = field_problems(leaf)
        if found:
            return found[0]
    else:
        problem = f"a stage is one command, got {describe(stage)}."
        return Problem(code="wrong_type", field="op", problem=problem, remedy="Pipelines do not nest.")
    return place_problem(leaf, place)


@attrs.frozen
class _Stages:
    """The kind of the field ``stages``."""

    doc: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field; a stage's own schema is that of its command."""
        operations: list[Json] = [*sorted(SOURCES | FILTERS)]
        item: JsonObject = {
            "type": "object",
            "properties": {"op": {"type": "string", "enum": operations}},
            "required": ["op"],
            "additionalProperties": True,
        }
        return {"type": "array", "items": item, "minItems": _LEAST, "maxItems": _MOST, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, commands or their JSON objects."""
        if type(value) not in {list, tuple}:
            return Problem(code="wrong_type", field=field, problem=f"{field} must be a list, got {describe(value)}.")
        stages = cast("list[object]", value)  # checked in the line above
        if not _LEAST <= len(stages) <= _MOST:
            problem = f"{field} has {len(stages)} entries; {_LEAST} to {_MOST} are allowed."
            return Problem(code="wrong_size", field=field, problem=problem)
        for number, stage in enumerate(stages):
            found = _stage_problem(stage, _place(number))
            if found is not None:
                return attrs.evolve(found, field=f"{field}[{number}].{found.field}")
        return None


def _as_stages(value: Iterable[Leaf | Mapping[str, object]]) -> tuple[Leaf, ...]:
    """Make commands of JSON objects that have nothing wrong; leave everything else for the check to refuse."""
    if type(value) not in {list, tuple}:
        return cast("tuple[Leaf, ...]", value)  # checked after building
    return tuple(_as_stage(number, stage) for number, stage in enumerate(value))


def _as_stage(number: int, stage: object) -> Leaf:
    fields = cast("dict[str, object]", stage)  # as the next line looks
    if type(stage) is not dict or _stage_problem(fields, _place(number)) is not None:
        return cast("Leaf", stage)  # checked after building
    kind = LEAVES[cast("str", fields["op"])]  # and its tag
    return built(kind, {name: held for name, held in fields.items() if name != "op"})


@attrs.frozen(kw_only=True)
class Pipeline:
    """Pass what one command writes through filters: head, tail, sort, uniq, cut, word_count, grep_filter..."""

    op: ClassVar[Literal["pipeline"]] = "pipeline"

    stages: tuple[Leaf, ...] = attrs.field(
        converter=_as_stages,
        metadata=_Stages("2 to 8 commands: the first reads, the others are filters without a path.").at(),
    )
    save_to: str | None = attrs.field(
        default=None, metadata=write_path("Write the last stage's output to this file; it must be absent.").at()
    )
    append: bool = attrs.field(default=False, metadata=Flag("With save_to: add it to the file's end.").at())
    merge_stderr: bool = attrs.field(default=False, metadata=Flag("Pass error output on as well.").at())

    def __attrs_post_init__(self) -> None:
        alone = self.append is True and self.save_to is None
        check(self, joined("append goes with save_to.", "append") if alone else None)
