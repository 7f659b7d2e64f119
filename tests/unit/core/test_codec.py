"""JSON of par's values."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args, get_origin

import attrs
import pytest

from par import calls, deltas, events, messages, outcomes
from par._codec.converter import RECORDS
from par._codec.tags import CLASS_OF
from par.calls import ModelCall, NoOutput, OutputSpec, RunCall, RunResult, Settings, ToolCall, ToolNames
from par.codec import TAGS, decode, dumps, encode, loads, tag_of
from par.errors import DecodeError
from par.events import Envelope, ErrorInfo, Event, PiiMasked, RunEnded, ToolCallEnded, ToolCallStarted
from par.messages import Assistant, Document, Image, Message, Text, ToolUse, User
from par.outcomes import Done, ToolOutcome
from par.states import TaskState
from par.usage import Usage

AT = datetime(2025, 1, 31, 23, 59, 59, 5, tzinfo=UTC)
ENDED = ToolCallEnded(call_id="c1", name="weather", outcome="done", content="sunny", duration_s=0.25)


def envelope(event: Event = ENDED, **changes: object) -> Envelope:
    fields = {"id": "01J", "session": "s", "run": "r", "step": 1, "parent": None, "at": AT, "seq": 3, "event": event}
    return Envelope(**{**fields, **changes})


PINNED = """
Text text | Image image | Document document | Reasoning reasoning | ToolUse tool_use | Opaque opaque | ToolResult tool_result |
System system | User user | Assistant assistant | ToolResults tool_results |
RunCall run_call | ModelCall model_call | ToolCall tool_call | ModelReply model_reply | RunResult run_result |
Done done | Failed failed | TimedOut timed_out | Cancelled cancelled | Unknown unknown | Handoff handoff |
NeedsApproval needs_approval |
TextDelta text_delta | ReasoningDelta reasoning_delta | ToolUseDelta tool_use_delta |
StreamRestarted stream_restarted |
RunStarted run_started | RunEnded run_ended | ModelCallStarted model_call_started |
ModelAttempted model_attempted | ModelCallEnded model_call_ended | ToolCallStarted tool_call_started |
ToolCallEnded tool_call_ended | ToolProgress tool_progress | Retried retried |
RateLimitWaited rate_limit_waited | ReplyRepaired reply_repaired | ReplyContinued reply_continued | RunResumed run_resumed |
MessagesReceived messages_received | ApprovalRequested approval_requested | ApprovalDecided approval_decided |
SettingDropped setting_dropped |
PiiMasked pii_masked | OutputSanitized output_sanitized | BashInvoked bash_invoked |
BashCompleted bash_completed |
RecordsRedacted records_redacted | RecordsExpired records_expired | Redacted redacted
"""


def test_the_tags_that_are_stored_never_change():
    pinned = dict(pair.split() for pair in PINNED.split("|"))

    assert {kind.__name__: tag for kind, tag in TAGS.items()} == pinned


def test_no_two_classes_share_a_tag():
    assert len(CLASS_OF) == len(TAGS)


UNIONS = [
    messages.UserBlock,
    messages.ResultBlock,
    messages.AssistantBlock,
    messages.Message,
    outcomes.ToolOutcome,
    deltas.Delta,
    events.Event,
]


@pytest.mark.parametrize(
    "kind", [get_origin(m) or m for union in UNIONS for m in get_args(union)], ids=lambda kind: kind.__name__
)
def test_every_class_of_every_union_has_a_tag(kind):
    assert kind in TAGS


@pytest.mark.parametrize("module", [messages, outcomes, deltas, events, calls], ids=lambda module: module.__name__)
def test_every_value_class_of_the_core_is_tagged_or_a_record(module):
    values = {kind for kind in vars(module).values() if isinstance(kind, type) and attrs.has(kind)}

    assert values - set(TAGS) - set(RECORDS) == set()


@pytest.mark.parametrize("kind", TAGS, ids=lambda kind: kind.__name__)
def test_no_tagged_class_has_a_field_where_the_tag_goes(kind):
    assert "type" not in attrs.fields_dict(kind)


def test_an_event_in_its_envelope_has_this_exact_text():
    assert dumps(envelope()) == (
        '{"id":"01J","session":"s","run":"r","step":1,"parent":null,"at":"2025-01-31T23:59:59.000005Z","seq":3,'
        '"event":{"type":"tool_call_ended","call_id":"c1","name":"weather","outcome":"done","content":"sunny",'
        '"duration_s":0.25}}'
    )


def test_the_envelope_is_written_with_every_field_that_it_has():
    assert list(encode(envelope())) == [field.name for field in attrs.fields(Envelope)]


def test_an_envelope_comes_back_equal():
    assert loads(Envelope, dumps(envelope())) == envelope()


def test_a_time_of_another_zone_is_written_in_utc():
    berlin = AT.astimezone(timezone(timedelta(hours=1)))

    assert encode(envelope(at=berlin)) == encode(envelope())


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(TypeError, match="no zone"):
        encode(envelope(at=datetime(2025, 1, 1)))  # noqa: DTZ001 # the point of the test


def test_done_keeps_its_content_alone_and_gives_it_back_as_value():
    done = decode(Done, encode(Done(value=(1, 2))))

    assert (done.value, done.content) == ([1, 2], [1, 2])


def test_done_keeps_what_it_shows():
    done = Done(["look", Image(url="u"), Document(file_id="f")])

    assert encode(done) == {
        "type": "done",
        "content": "look",
        "blocks": [encode(Image(url="u")), encode(Document(file_id="f"))],
    }
    assert decode(Done, encode(done)).blocks == done.blocks


@pytest.mark.parametrize(
    ("choice", "written"),
    [("required", "required"), (ToolNames(["a", "b"], required=False), {"names": ["a", "b"], "required": False})],
    ids=["word", "names"],
)
def test_a_tool_choice_is_written_as_a_word_or_as_names(choice, written):
    settings = Settings(tool_choice=choice)

    assert encode(settings)["tool_choice"] == written
    assert decode(Settings, encode(settings)) == settings


@pytest.mark.parametrize(
    "call",
    [
        ModelCall(model="m", messages=(User((Text("hi"),)),), output=OutputSpec(name="o", schema={})),
        ToolCall(id="1", name="weather", arguments={"city": "Paris"}),
        RunCall(input=(User((Text("hi"),)),)),
    ],
    ids=lambda call: type(call).__name__,
)
def test_local_fields_stay_out_of_json_and_have_their_defaults_after_it(call):
    document = encode(call)
    local = {field.name for field in attrs.fields(type(call)) if field.metadata.get("local")}

    assert local
    assert local & set(document) == set()
    assert decode(type(call), document) == call


def test_a_run_result_without_output_comes_back_without_output():
    assert isinstance(decode(RunResult, encode(RunResult())).value, NoOutput)


def test_a_run_result_keeps_the_json_form_of_its_output():
    assert decode(RunResult, encode(RunResult(value={"a": (1,)}))).value == {"a": [1]}


def test_what_is_encoded_shares_nothing_with_the_value():
    started = ToolCallStarted(call_id="c", name="n", effect="read", arguments={"a": [1]})
    masked = PiiMasked(where="input", found={"email": 1})

    encode(started)["arguments"]["a"].append(2)
    encode(masked)["found"]["email"] = 9

    assert (started.arguments, masked.found) == ({"a": [1]}, {"email": 1})


def test_half_a_surrogate_pair_survives():
    text = dumps(Text("a\ud800é"))

    assert text.encode()
    assert loads(Text, text) == Text("a\ud800é")


def test_text_is_not_escaped_without_need():
    assert dumps(Text("é漢")) == '{"type":"text","text":"é漢"}'


def test_a_string_enum_in_free_json_is_written_as_its_text():
    call = ToolCall(id="1", name="n", arguments={"state": TaskState.RUNNING})

    assert type(encode(call)["arguments"]["state"]) is str


@pytest.mark.parametrize(
    "value",
    [
        Done(value=1, content=float("nan")),
        ToolCall(id="1", name="n", arguments={"a": (1,)}),
        ToolCall(id="1", name="n", arguments={1: "a"}),
        ToolCall(id="1", name="n", arguments={"a": b"x"}),
        RunEnded(stop_reason="finished", status=TaskState.COMPLETED, steps=1, usage=Usage(), duration_s=float("inf")),
        object(),
        "text",
    ],
    ids=["nan", "tuple", "key", "bytes", "infinity", "foreign", "str"],
)
def test_what_json_cannot_express_is_refused(value):
    with pytest.raises(TypeError):
        encode(value)


def test_json_that_nests_without_end_is_refused():
    arguments: dict[str, object] = {}
    arguments["self"] = arguments

    with pytest.raises(TypeError, match="deeper"):
        encode(ToolCall(id="1", name="n", arguments=arguments))


def test_the_deepest_json_that_can_be_written_can_be_read():
    arguments = {}
    for _ in range(127):
        arguments = {"a": arguments}
    started = ToolCallStarted(call_id="c", name="n", effect="read", arguments=arguments)

    assert loads(Envelope, dumps(envelope(started))).event == started


def wrong(name, expected, document, path):
    return pytest.param(expected, document, path, id=name)


@pytest.mark.parametrize(
    ("expected", "document", "path"),
    [
        wrong("nested", Message, {"type": "user", "content": [{"type": "text", "text": 1}]}, "at content[0].text: "),
        wrong("text for a list", Message, {"type": "user", "content": "abc"}, "at content: expected a list"),
        wrong("unknown tag", Message, {"type": "nope"}, "'nope' is none of assistant, system"),
        wrong("no tag", Message, {"content": []}, 'the key "type" is missing'),
        wrong("tag of another union", Message, {"type": "text", "text": "a"}, "'text' is none of"),
        wrong("tag of another class", Assistant, {"type": "user", "content": []}, "is 'user', not 'assistant'"),
        wrong("tag that is no text", Message, {"type": ["user"]}, "is no text"),
        wrong("a list", Event, [], "expected an object, got list"),
        wrong("missing key", Text, {"type": "text"}, "'text' is missing"),
        wrong("extra key", Text, {"type": "text", "text": "a", "x": 1}, "unknown keys: 'x'"),
        wrong("local key", ToolCall, {"type": "tool_call", "id": "", "name": "", "arguments": {}, "ctx": 1}, "'ctx'"),
        wrong("bool for int", Usage, {"input_tokens": True}, "at input_tokens: expected a whole number"),
        wrong("float for int", Usage, {"input_tokens": 1.0}, "at input_tokens: expected a whole number"),
        wrong("text for float", Settings, {"temperature": "1"}, "at temperature: expected a number"),
        wrong("bool for float", Settings, {"temperature": True}, "at temperature: expected a number"),
        wrong("nan", Settings, {"temperature": float("nan")}, "at temperature: nan"),
        wrong("int for bool", Settings, {"parallel_tool_uses": 1}, "at parallel_tool_uses: expected true or false"),
        wrong("literal", Settings, {"tool_choice": "some"}, "at tool_choice: "),
        wrong("no names", Settings, {"tool_choice": {"names": []}}, "at tool_choice: ToolNames needs"),
        wrong("names", Settings, {"tool_choice": {"names": [1]}}, "at tool_choice.names[0]: expected text"),
        wrong("shown text", Done, {"type": "done", "content": 1, "blocks": [{"type": "text", "text": ""}]}, "'text'"),
        wrong("range", Settings, {"temperature": 9}, "'temperature' must be <= 2"),
        wrong("rule of the class", Image, {"type": "image"}, "either url or base64"),
        wrong("time", Envelope, {**encode(envelope()), "at": "2025-01-31"}, "at at: expected a UTC time"),
        wrong("time with offset", Envelope, {**encode(envelope()), "at": "2025-01-31T23:59:59.000005+00:00"}, "at at"),
        wrong("number for time", Envelope, {**encode(envelope()), "at": 5}, "at at: expected a time"),
        wrong("in the event", Envelope, {**encode(envelope()), "event": {"type": "x"}}, "at event: "),
        wrong("in a dict", PiiMasked, {"type": "pii_masked", "where": "input", "found": {"a": "1"}}, "at found['a']: "),
        wrong("free JSON", ToolOutcome[object], {"type": "done", "content": (1,)}, "tuple is not JSON"),
        wrong("free object", ToolUse, {"type": "tool_use", "id": "", "name": "", "arguments": []}, "at arguments: "),
        wrong("done with value", Done, {"type": "done", "content": 1, "value": 1}, "content alone"),
        wrong("record with tag", ErrorInfo, {"type": "error_info"}, "'message' is missing"),
    ],
)
def test_json_of_something_else_is_refused_with_the_path(expected, document, path):
    with pytest.raises(DecodeError) as caught:
        decode(expected, document)

    assert path in str(caught.value)


@pytest.mark.parametrize("text", ['{"type":"text"', '{"type":"text","text":"a","text":"b"}', "NaN", ""])
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(DecodeError):
        loads(Text, text)


@pytest.mark.parametrize("expected", [int, dict, str | None, object])
def test_a_class_that_par_does_not_have_is_a_mistake_of_the_program(expected):
    with pytest.raises(TypeError, match="none of the values"):
        decode(expected, {})


def test_a_tag_is_known_for_a_value():
    assert tag_of(ENDED) == "tool_call_ended"


def test_a_record_has_no_tag():
    with pytest.raises(TypeError, match="Usage has no tag"):
        tag_of(Usage())


def test_an_optional_union_reads_null():
    assert decode(Text | Image | None, None) is None


def test_importing_par_loads_no_cattrs():
    modules = "par, par.calls, par.events, par._store"
    code = f"import sys, {modules}; print('cattrs' in sys.modules)"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "False"


def test_the_text_is_plain_json_for_other_programs():
    assert json.loads(dumps(envelope())) == encode(envelope())
