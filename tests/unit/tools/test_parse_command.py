"""What is no command is refused with a sentence that says what to send instead."""

import json

import pytest

from par.errors import CommandRefused
from par.tools.bash import Age, Find, Grep, Head, ReadFile, command_from_json, parse_command
from par.tools.bash._commands.examples import EXAMPLES
from par.tools.bash._commands.kinds import KIND
from par.tools.bash._commands.table import COMMANDS, schema_of


@pytest.mark.parametrize(
    ("text", "code", "field", "says"),
    [
        ('{"op":"cat","path":"x"}', "unknown_op", "op", "Nearest: read_file"),
        ('{"op":"write_file","path":"x"}', "missing_field", "content", "For example"),
        ('{"op":"write_file","path":".git/hooks/x","content":""}', "protected_path", "path", "Use git_add"),
        ('{"op":"write_file","path":".GIT./config","content":""}', "protected_path", "path", ".git"),
        ('{"op":"write_file","path":"a/.BashRC","content":""}', "protected_path", "path", "Ask the user"),
        ('{"op":"remove","paths":["."],"recursive":true}', "protected_path", "paths[0]", "workspace itself"),
        ('{"op":"write_file","path":"x","content":"a\\u0000"}', "bad_text", "content", "U+0000"),
        ('{"op":"pipeline","stages":[]}', "wrong_size", "stages", "2 to 8"),
        ('{"op":"pipeline","stages":[{"op":"find"},{"op":"grep","pattern":"x"}]}', "bad_stage", "stages[1].op", "grep_filter"),
        ('{"op":"pipeline","stages":[{"op":"find"},{"op":"head","path":"x"}]}', "bad_stage", "stages[1].path", "Leave path out"),
        ('{"op":"pipeline","stages":[{"op":"touch","path":"x"},{"op":"head"}]}', "bad_stage", "stages[0].op", "reads"),
        ('{"op":"pipeline","stages":[{"op":"find"},{"op":"head","lines":"1"}]}', "wrong_type", "stages[1].lines", "without quotes"),
        ('{"op":"pipeline","stages":[{"op":"find"},{"op":"xargs"}]}', "unknown_op", "stages[1].op", "several paths"),
        ('{"op":"pipeline","stages":[{"op":"find"},[]]}', "wrong_type", "stages[1].op", "do not nest"),
        ('{"op":"pipeline","stages":[{"op":"find"},{"op":"head"}],"append":true}', "bad_combination", "append", "save_to"),
        ('{"op":"grep_filter","pattern":"x"}', "bad_stage", "op", "To search files use grep"),
        ('{"op":"sed","args":"s/a/b/"}', "unknown_op", "op", "edit"),
        ('{"op":"curl"}', "unknown_op", "op", "fetch_url"),
        ('{"op":"python"}', "unknown_op", "op", "run_python"),
        ('{"op":"awk"}', "unknown_op", "op", "cut"),
        ('{"op":"kill"}', "unknown_op", "op", "Processes end"),
        ('{"op":"export"}', "unknown_op", "op", "set by the host"),
        ('{"op":"sort","key":{"start":2,"end":1},"path":"x"}', "bad_combination", "end", "before start"),
        ('{"op":"cut","path":"x","fields":"3-1"}', "bad_range", "fields", "numbers from 1"),
        ('{"op":"cut","path":"x","fields":"1","delimiter":"ab"}', "too_long", "delimiter", "at most 1"),
        ('{"op":"translate","set1":"a"}', "bad_combination", "set2", "needs set2"),
        ('{"op":"git_switch","branch":"-x"}', "bad_branch", "branch", "feature/parser"),
        ('{"op":"git_commit","message":" "}', "bad_combination", "message", "empty"),
        ('{"op":"git_branch","action":"rename","name":"a"}', "bad_combination", "new_name", "new_name"),
        ('{"op":"git_refs","pattern":"--x"}', "bad_glob", "pattern", "v1.*"),
        ('{"op":"run_tests","runner":"pytest","keyword":"a;b"}', "bad_text", "keyword", "choice of names"),
        ('{"op":"run_python","script":"a.py","module":"b"}', "bad_combination", "script", "script or module"),
        ('{"op":"run_task","name":"x","params":{"a":"-x"}}', "bad_text", "params.a", "plain value"),
        ('{"op":"run_task","name":"x","params":{"a":1.5}}', "wrong_type", "params.a", "whole number"),
        ('{"op":"bash","command":"ls"}', "raw_shell", "op", '"op":"list_dir"'),
        ('{"command":"ls -la"}', "raw_shell", "op", "not accepted"),
        ('{"path":"x"}', "missing_op", "op", "no shell here"),
        ('{"op":["list_dir"]}', "wrong_type", "op", "got a list"),
        ('{"op":"list_dir","args":["-l"]}', "extra_key", "args", "flags cannot be passed"),
        ('{"op":"head","path":"x","lines":"5"}', "wrong_type", "lines", "Send 5 without quotes"),
        ('{"op":"head","path":"x","lines":true}', "wrong_type", "lines", "got true"),
        ('{"op":"head","path":"x","lines":3.9}', "wrong_type", "lines", "got the number 3.9"),
        ('{"op":"head","path":"x","lines":0}', "wrong_type", "lines", "between 1 and 1000000"),
        ('{"op":"head","path":"x","lines":null}', "wrong_type", "lines", "got null"),
        ('{"op":"head","path":"x","lines":1,"bytes":1}', "bad_combination", "bytes", "not both"),
        ('{"op":"head"}', "missing_field", "path", "in a pipeline"),
        ('{"op":"tail"}', "missing_field", "path", "in a pipeline"),
        ('{"op":"word_count"}', "missing_field", "paths", "in a pipeline"),
        ('{"op":"grep","pattern":"x","paths":"src"}', "wrong_type", "paths", "Put it in a list"),
        ('{"op":"grep","pattern":"x","paths":[]}', "wrong_size", "paths", "1 to 256"),
        ('{"op":"grep","pattern":"x","paths":["a",1]}', "wrong_type", "paths[1]", "got the number 1"),
        ('{"op":"grep","pattern":""}', "bad_pattern", "pattern", "empty"),
        ('{"op":"list_dir","all":"true"}', "wrong_type", "all", "without quotes"),
        ('{"op":"list_dir","sort":"date"}', "wrong_type", "sort", "name, time, size"),
        ('{"op":"read_file","path":"/ws/src/a.py"}', "path_absolute", "path", "relative to the workspace"),
        ('{"op":"read_file","path":"a/../b"}', "path_parent", "path", "goes up"),
        ('{"op":"read_file","path":"~/x"}', "path_tilde", "path", "not expanded"),
        ('{"op":"read_file","path":"a\\u0000b"}', "path_control", "path", "U+0000"),
        ('{"op":"read_file","path":"a\\u202eb"}', "path_control", "path", "U+202E"),
        ('{"op":"read_file","path":"  "}', "path_empty", "path", 'itself is "."'),
        ('{"op":"git_show","rev":"HEAD:.env"}', "bad_rev", "rev", '":" and ".." are not'),
        ('{"op":"git_show","rev":"a..b"}', "bad_rev", "rev", "range in two fields"),
        ('{"op":"git_show","rev":"HEAD^{/fix}"}', "bad_rev", "rev", "no revision"),
        ('{"op":"find","name":"../*"}', "bad_glob", "name", "leads out"),
        ('{"op":"find","newer_than":{"unit":"days"}}', "wrong_type", "newer_than", "unit, count and no other"),
        ('{"op":"find","newer_than":{"unit":"days","count":true}}', "wrong_type", "newer_than.count", "got true"),
        ('"{}"', "wrong_type", "command", "no text inside text"),
        ("[]", "wrong_type", "command", "got a list"),
        ("ls -la", "bad_json", "command", "not acceptable JSON"),
        ('{"op":"list_dir","op":"find"}', "bad_json", "command", "appears twice"),
        ('{"op":"find","limit":NaN}', "bad_json", "command", "not a JSON number"),
    ],
)  # fmt: skip
def test_the_refusal_teaches(text, code, field, says):
    with pytest.raises(CommandRefused) as raised:
        parse_command(text)

    assert (raised.value.code, raised.value.field) == (code, field)
    assert says in str(raised.value)


def test_all_problems_of_a_call_are_told_up_to_five():
    with pytest.raises(CommandRefused) as raised:
        parse_command('{"op":"head","lines":"5","a":1,"b":2,"c":3,"d":4}')

    assert str(raised.value).count("[bash:") == 5


def test_a_text_longer_than_two_mebibytes_is_not_read():
    with pytest.raises(CommandRefused, match="at most 2097152"):
        parse_command('{"op":"grep","pattern":"' + "x" * 2_200_000 + '"}')


def test_a_text_that_nests_deeper_than_eight_levels_is_not_read():
    with pytest.raises(CommandRefused, match="deeper than 8"):
        parse_command('{"op":' + "[" * 9 + "]" * 9 + "}")


def test_only_text_is_parsed():
    with pytest.raises(CommandRefused, match="it must be text"):
        parse_command({"op": "list_dir"})


def test_a_command_is_made_of_its_fields():
    command = parse_command('{"op":"find","paths":["src"],"newer_than":{"unit":"days","count":2},"limit":5}')

    assert command == Find(paths=["src"], newer_than=Age(unit="days", count=2), limit=5)


def test_a_command_cannot_be_built_around_the_rules():
    with pytest.raises(CommandRefused, match="path_parent"):
        ReadFile(path="../x")


def test_a_command_cannot_be_changed():
    command = ReadFile(path="x")

    with pytest.raises(AttributeError):
        command.path = "../x"


def test_a_text_of_another_class_is_no_text():
    class Sly(str):
        __slots__ = ()

    with pytest.raises(CommandRefused, match="a relative path"):
        ReadFile(path=Sly("x"))


def test_a_text_for_a_list_is_not_taken_for_its_letters():
    with pytest.raises(CommandRefused, match="list of texts"):
        Grep(pattern="x", paths="src")


def test_the_words_of_the_model_are_never_a_format():
    with pytest.raises(CommandRefused, match=r"\{0.__class__\} %s"):
        command_from_json({"op": "{0.__class__} %s%n"})


@pytest.mark.parametrize("op", COMMANDS)
def test_the_example_of_each_command_is_one(op):
    text = EXAMPLES[op]
    if op in {"grep_filter", "translate"}:
        text = f'{{"op":"pipeline","stages":[{EXAMPLES["read_file"]},{text}]}}'

    command = parse_command(text)

    assert op in {command.op, *(stage.op for stage in getattr(command, "stages", ()))}


@pytest.mark.parametrize("op", COMMANDS)
def test_every_field_has_a_kind_and_a_description(op):
    schema = schema_of(COMMANDS[op])

    assert all(KIND in field.metadata for field in COMMANDS[op].__attrs_attrs__)
    assert all("description" in entry for name, entry in schema["properties"].items() if name != "op")
    assert schema["additionalProperties"] is False


def test_the_schema_and_the_parser_agree_on_an_example():
    jsonschema = pytest.importorskip("jsonschema")
    for op, kind in COMMANDS.items():
        jsonschema.validate(json.loads(EXAMPLES[op]), schema_of(kind))


def test_head_has_ten_lines_only_when_it_runs():
    assert Head(path="x").lines is None
