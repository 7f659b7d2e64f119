"""Ways in which the file tools could be hurt, and cannot any more."""

import random
from time import process_time

import pytest

from par import ToolCall
from par.errors import CommandRefused
from par.tools._files.edits import Edit, edited
from par.tools.files import file_tools


@pytest.mark.parametrize("letters", ["ab", "abc", "aaab"])
def test_looking_for_the_nearest_lines_takes_no_time_however_hostile_they_are(letters):
    chosen = random.Random(1)  # nothing secret
    lines = ["".join(chosen.choices(letters, k=199)) for _ in range(5_000)]
    started = process_time()

    with pytest.raises(CommandRefused, match="does not occur"):
        edited("\n".join(lines), [Edit(old="".join(chosen.choices(letters, k=199)), new="x")])

    assert process_time() - started < 5


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read", {"path": "notes"}),
        ("grep", {"path": "notes", "pattern": "T"}),
        ("edit", {"path": "notes", "edits": [{"old": "hunter2", "new": "x"}]}),
    ],
)
async def test_another_name_of_a_denied_file_is_denied_too(ws, name, arguments):
    (ws / ".env").write_text("TOKEN=hunter2")
    (ws / "notes").hardlink_to(ws / ".env")
    (a_tool,) = [tool for tool in file_tools(ws) if tool.spec.name == name]

    outcome = await a_tool.invoke(ToolCall(id="1", name=name, arguments=arguments))

    assert outcome.error_type == "read_denied"
    assert (ws / "notes").samefile(ws / ".env")
