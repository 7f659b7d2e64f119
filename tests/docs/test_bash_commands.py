"""The page of the commands says what the classes say. ``python tests/docs/test_bash_commands.py`` writes it anew."""

import json
from pathlib import Path

from par.cli._bash_fields import example_of, fields_of
from par.tools.bash import Policy, parse_command, schema_of_op
from par.tools.bash._commands.facts import effects_of, risk_of
from par.tools.bash._commands.leaves import FILTERS, SOURCES
from par.tools.bash._commands.table import COMMANDS

PAGE = Path(__file__).parents[2] / "docs/reference/bash-commands.md"
HEAD = """\
# The commands of the bash tool

A command is a JSON object with the tag `op`. What is not required may be left out. Nothing is
converted: `"5"` is no number. Paths are relative to the workspace. In Python the same commands are classes of
`par.tools.bash`, with the same fields; `par bash commands OP` tells these tables.

The effects are those of the example: `read`, `write` files and the repository, `execute` code of the project. The risk
decides whether somebody is asked; it rises with fields that may lose work.
"""
GROUPS = (
    ("Read", lambda op: op in SOURCES and not op.startswith(("git_", "run_")) and op not in FILTERS),
    ("Filter", lambda op: op in FILTERS),
    ("Read a git repository", lambda op: op in SOURCES and op.startswith("git_")),
    ("Change files", lambda op: op not in {*SOURCES, *FILTERS, "pipeline"} and not op.startswith(("git_", "run_"))),
    ("Change a git repository", lambda op: op not in SOURCES and op.startswith("git_")),
    ("Run code", lambda op: op.startswith("run_")),
    ("Join commands", lambda op: op == "pipeline"),
)
NOTES = {
    "Filter": "They read a file, or in a pipeline what comes in; `grep_filter` and `translate` stand in pipelines only.",
    "Run code": "They run what the host has set up in the policy, and nothing else.",
}


def cell(text):
    return text.replace("|", "\\|")


def section(op):
    schema = schema_of_op(op)
    example = json.dumps(example_of(schema), ensure_ascii=False)
    command = parse_command(example)
    fields = fields_of(schema)
    yield f"### `{op}`\n"
    yield f"{cell(schema['description'])}\n".replace("``", "`")
    yield f"{type(command).__name__ if op not in {'grep_filter', 'translate'} else COMMANDS[op].__name__}: "
    yield f"{', '.join(effects_of(command))}; {risk_of(command)} risk.\n"
    yield f"```json\n{example}\n```\n"
    if fields:
        yield "| field | | |\n|---|---|---|"
    for field in fields:
        yield f"| `{field.name}` | {cell(field.what)}{', **required**' if field.required else ''} | {cell(field.doc)} |"
    yield ""


def page():
    lines = [HEAD]
    for title, belongs in GROUPS:
        lines.append(f"## {title}\n")
        if title in NOTES:
            lines.append(f"{NOTES[title]}\n")
        for op in COMMANDS:
            if belongs(op):
                lines += section(op)
    text = "\n".join(lines)
    return text.replace(": \n", ": ").rstrip() + "\n"


def test_the_page_is_what_the_classes_say():
    assert PAGE.read_text() == page()


def test_every_command_stands_once_on_the_page():
    headings = [line for line in page().splitlines() if line.startswith("### ")]

    assert sorted(headings) == sorted(f"### `{op}`" for op in COMMANDS)


def test_the_examples_of_what_reads_are_allowed_by_the_policy_that_reads():
    policy = Policy.read_only()
    commands = [parse_command(json.dumps(example_of(schema_of_op(kind.op)))) for kind in policy.allow]

    assert {type(policy.decide(command)).__name__ for command in commands} == {"Allow"}


if __name__ == "__main__":
    PAGE.write_text(page())
