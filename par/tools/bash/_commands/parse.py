"""From JSON text to a command: bounded, strict, and with refusals that teach."""

from collections.abc import Sequence
from typing import cast

from par._json import JsonSyntaxError, load_json
from par.tools.bash._commands.examples import example
from par.tools.bash._commands.from_json import built, checked, class_of
from par.tools.bash._commands.leaves import place_problem
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.refusals import Problem, describe, quote, refusal
from par.tools.bash._commands.table import COMMANDS, Command

__all__ = ["command_from_json", "parse_command"]

_MAX_CHARS = 2 * 1024 * 1024
_MAX_DEPTH = 8


def parse_command(json_text: str) -> Command:
    """Return the command that ``json_text`` says, a JSON object with the tag ``op``.

    At most 2 MiB and eight levels are read. Nothing is converted: ``"5"`` is no number, ``true`` is no number,
    a text is no list; unknown and repeated keys are refused.

    Raises:
        CommandRefused: with up to five problems, each with what to send instead.
    """
    if type(json_text) is not str:
        raise refusal([
            Problem(code="bad_json", field="command", problem=f"it must be text, got {describe(json_text)}.")
        ])
    try:
        value = load_json(json_text, max_chars=_MAX_CHARS, max_depth=_MAX_DEPTH)
    except JsonSyntaxError as error:
        shown = quote(str(error))[1:-1]
        problem = Problem(
            code="bad_json", field="command", problem=f"this is not acceptable JSON: {shown}.",
            remedy=f"Send one object such as {example('list_dir')}",
        )  # fmt: skip
        raise refusal([problem]) from None
    return command_from_json(value)


def command_from_json(value: object, *, offered: Sequence[str] | None = None) -> Command:
    """Return the command that a decoded JSON value says; the same rules as ``parse_command``.

    ``offered`` are the tags that refusals name as the ones there are, all of them unless given.

    Raises:
        CommandRefused: with up to five problems, each with what to send instead.
    """
    kind = class_of(value, COMMANDS, tuple(COMMANDS) if offered is None else offered)
    if isinstance(kind, Problem):
        raise refusal([kind])
    problems = checked(kind, value)
    if problems:
        raise refusal(problems)
    given = cast("dict[str, object]", value)  # its keys were checked
    command = built(kind, {key: held for key, held in given.items() if key != "op"})
    problem = None if isinstance(command, Pipeline) else place_problem(command, "alone")
    if problem is not None:
        raise refusal([problem])
    return command
