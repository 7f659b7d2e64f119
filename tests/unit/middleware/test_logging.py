"""Logging writes one record for each call, whatever became of it."""

import json
import logging
import sys

import anyio
import anyio.to_thread
import pytest
from unit.middleware.driving import (
    Port,
    Script,
    drive_model,
    drive_run,
    drive_tool,
    ended,
    model_call,
    reply,
    tool_call,
)

from par._pipeline.onion import check_order
from par.calls import RunResult
from par.errors import ImpossibleOrder, Overloaded
from par.middleware import CorrelationFilter, JsonFormatter, Logging, PiiMask, Retry
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, Unknown
from par.usage import Usage

pytestmark = pytest.mark.anyio

FIELDS = {
    "par_call", "par_name", "par_run_id", "par_session_id", "par_agent", "par_step", "par_call_id", "par_attempt",
    "par_duration_ms", "par_outcome", "par_error_type", "par_input_tokens", "par_output_tokens", "par_requests",
    "par_cost_micro", "par_request", "par_response",
}  # fmt: skip


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def logger(kept):
    made = logging.Logger("test")  # noqa: LOG001 # not in the process-wide tree
    made.addHandler(kept)
    made.setLevel(logging.DEBUG)
    return made


def facts(record):
    return {name: value for name, value in record.__dict__.items() if name.startswith("par_")}


USAGE = Usage(input_tokens=7, output_tokens=3, requests=1, cost_micro=42)


async def test_a_model_call_is_one_record_with_all_its_facts(logger, kept):
    await drive_model([Logging(logger=logger)], Script([reply("ok", usage=USAGE)]), model_call())

    (record,) = kept.records
    found = facts(record)
    assert set(found) == FIELDS
    assert 0 <= found.pop("par_duration_ms") < 1000
    assert found == {
        "par_call": "model", "par_name": "m", "par_run_id": "run-1", "par_session_id": "session-1",
        "par_agent": "tester", "par_step": 1, "par_call_id": "call-1", "par_attempt": 1, "par_outcome": "answered",
        "par_error_type": None, "par_input_tokens": 7, "par_output_tokens": 3, "par_requests": 1,
        "par_cost_micro": 42, "par_request": None, "par_response": None,
    }  # fmt: skip
    assert record.levelno == logging.INFO
    assert record.getMessage().startswith("model m answered in ")


async def test_a_run_is_one_record(logger, kept):
    await drive_run([Logging(logger=logger)], Script([RunResult(value="x", usage=USAGE, stop_reason="max_steps")]))

    found = facts(kept.records[0])
    assert (found["par_call"], found["par_name"], found["par_outcome"]) == ("run", "tester", "max_steps")
    assert found["par_input_tokens"] == 7


@pytest.mark.parametrize(
    ("outcome", "name", "level", "error"),
    [
        (Done("x"), "done", logging.INFO, None),
        (Failed(kind="crashed", message="x", error_type="KeyError"), "failed", logging.WARNING, "KeyError"),
        (Failed(kind="refused", message="x"), "failed", logging.WARNING, "refused"),
        (TimedOut(after_s=1, message="x"), "timed_out", logging.WARNING, None),
        (Cancelled(reason="x"), "cancelled", logging.INFO, None),
        (Unknown(reason="x"), "unknown", logging.WARNING, None),
        (Handoff(target="x"), "handoff", logging.INFO, None),
        (NeedsApproval(prompt="x"), "needs_approval", logging.INFO, None),
    ],
)
async def test_a_tool_call_is_one_record_at_the_level_of_its_outcome(logger, kept, outcome, name, level, error):
    answer = await drive_tool([Logging(logger=logger)], Script([outcome]), tool_call())

    (record,) = kept.records
    found = facts(record)
    assert answer is outcome
    assert (found["par_call"], found["par_name"], found["par_call_id"]) == ("tool", "lookup", "u1")
    assert (found["par_outcome"], found["par_error_type"], record.levelno) == (name, error, level)


DRIVES = [(drive_run, Port), (drive_model, model_call), (drive_tool, tool_call)]


@pytest.mark.parametrize(("drive", "call"), DRIVES, ids=["run", "model", "tool"])
async def test_a_failure_is_recorded_and_raised(logger, kept, drive, call):
    error = KeyError("secret text")

    with pytest.raises(KeyError) as caught:
        await drive([Logging(logger=logger)], Script([error]), call())

    (record,) = kept.records
    assert caught.value is error
    assert (record.par_outcome, record.par_error_type, record.levelno) == ("failed", "KeyError", logging.WARNING)
    assert "secret text" not in record.getMessage() + repr(facts(record))


@pytest.mark.parametrize(("drive", "call"), DRIVES, ids=["run", "model", "tool"])
async def test_a_cancellation_is_recorded_and_goes_on(logger, kept, drive, call):
    with anyio.CancelScope() as scope:
        scope.cancel()
        await drive([Logging(logger=logger)], Script([lambda call: anyio.sleep(1)]), call())

    (record,) = kept.records
    assert scope.cancelled_caught
    assert (record.par_outcome, record.levelno) == ("cancelled", logging.INFO)


async def test_a_failed_run_has_the_level_of_failures(logger, kept):
    await drive_run([Logging(logger=logger)], Script([RunResult(stop_reason="failed")]))

    assert kept.records[0].levelno == logging.WARNING


async def test_the_number_of_attempts_is_that_of_the_error(logger, kept):
    with pytest.raises(Overloaded):
        await drive_model(
            [Logging(logger=logger), Retry(attempts=2, base_s=0.001)], Script([Overloaded()]), model_call()
        )

    assert kept.records[0].par_attempt == 2


async def test_levels_can_be_chosen(logger, kept):
    layer = Logging(logger=logger, level=logging.DEBUG, failure_level=logging.ERROR)

    await drive_tool([layer], Script([Done("x")]), tool_call())
    await drive_tool([layer], Script([Failed(kind="failed", message="x")]), tool_call())

    assert [record.levelno for record in kept.records] == [logging.DEBUG, logging.ERROR]


async def test_what_nobody_wants_is_not_written(logger, kept):
    logger.setLevel(logging.WARNING)

    await drive_model([Logging(logger=logger)], Script([reply("ok")]), model_call())
    await drive_tool([Logging(logger=logger)], Script([Failed(kind="failed", message="x")]), tool_call())

    assert [record.par_call for record in kept.records] == ["tool"]


async def test_contents_are_left_out_unless_asked_for(logger, kept):
    for content in (False, True):
        layer = Logging(logger=logger, content=content)
        await drive_model([layer], Script([reply("the answer")]), model_call(text="the question"))
        await drive_tool([layer], Script([Done({"r": "result"})]), tool_call(arguments={"q": "argument"}))
        await drive_tool([layer], Script([Failed(kind="failed", message="why")]), tool_call(malformed="{oops"))

    without, with_them = kept.records[:3], kept.records[3:]
    assert all(record.par_request is None and record.par_response is None for record in without)
    assert with_them[0].par_request == {"content": [{"text": "the question"}]}
    assert with_them[0].par_response == {"content": [{"text": "the answer"}]}
    assert (with_them[1].par_request, with_them[1].par_response) == ({"q": "argument"}, {"r": "result"})
    assert (with_them[2].par_request, with_them[2].par_response) == ("{oops", "why")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (TimedOut(after_s=1, message="late"), "late"),
        (Cancelled(reason="stop"), "stop"),
        (Unknown(reason="lost"), "lost"),
        (Handoff(target="b", task="go on"), "go on"),
        (NeedsApproval(prompt="may I?"), "may I?"),
    ],
)
async def test_the_content_of_each_outcome_is_what_is_told_of_it(logger, kept, outcome, told):
    await drive_tool([Logging(logger=logger, content=True)], Script([outcome]), tool_call())

    assert kept.records[0].par_response == told


async def test_contents_are_masked_where_there_is_a_mask(logger, kept):
    layers = [Logging(logger=logger, content=True), PiiMask()]
    canary = "ann@example.com"

    async def engine(call):
        await drive_model(layers, Script([reply(f"it is {canary}")]), model_call(call.ctx.port, messages=call.input))
        await drive_tool(layers, Script([Done(canary)]), tool_call(call.ctx.port))
        return ended(f"it is {canary}")

    await drive_run(layers, engine, text=f"I am {canary}")

    assert len(kept.records) == 3
    assert canary not in repr([facts(record) for record in kept.records])


async def test_the_default_logger_is_named_par_and_the_root_is_not_touched(caplog):
    handlers, level = list(logging.root.handlers), logging.root.level

    with caplog.at_level(logging.INFO, logger="par"):
        await drive_model([Logging()], Script([reply("ok")]), model_call())

    assert [record.name for record in caplog.records] == ["par"]
    assert (list(logging.root.handlers), logging.root.level) == (handlers, level)
    assert logging.getLogger("par").handlers == []


async def test_ids_follow_tasks_and_threads(kept):
    other = logging.Logger("elsewhere")  # noqa: LOG001 # as above
    other.addHandler(kept)
    kept.addFilter(CorrelationFilter())

    async def works(call):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, other.info, "in a thread")
        other.info("in the tool")
        return Done("ok")

    await drive_tool([Logging()], works, tool_call())
    other.info("outside")

    assert [(record.par_run_id, record.par_call_id) for record in kept.records] == [
        ("run-1", "u1"),
        ("run-1", "u1"),
        (None, None),
    ]


async def test_ids_of_concurrent_runs_are_not_mixed_up(kept):
    other = logging.Logger("elsewhere")  # noqa: LOG001 # as above
    other.addHandler(kept)
    kept.addFilter(CorrelationFilter())

    async def works(call):
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
            other.info(call.ctx.run_id)
        return ended()

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(drive_run, [Logging()], works, Port(f"run-{number}"))

    assert len(kept.records) == 30
    assert all(record.getMessage() == record.par_run_id for record in kept.records)


async def test_the_filter_leaves_what_logging_has_set(logger, kept):
    kept.addFilter(CorrelationFilter())

    await drive_model([Logging(logger=logger)], Script([reply("ok")]), model_call())

    assert kept.records[0].par_call_id == "call-1"


async def test_a_record_becomes_one_line_of_json(logger, kept):
    await drive_model([Logging(logger=logger)], Script([reply("ok", usage=USAGE)]), model_call())

    line = JsonFormatter().format(kept.records[0])

    read = json.loads(line)
    assert "\n" not in line
    assert (read["level"], read["logger"], read["par_call"], read["par_cost_micro"]) == ("INFO", "test", "model", 42)
    assert read["at"].endswith("+00:00")
    assert "par_request" not in read


def test_a_traceback_is_part_of_the_line():
    try:
        raise KeyError("x")
    except KeyError:
        record = logging.LogRecord("n", logging.ERROR, "p", 1, "m %s", ("a",), sys.exc_info())

    read = json.loads(JsonFormatter().format(record))

    assert read["message"] == "m a"
    assert "KeyError" in read["traceback"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("logger", "par"), ("level", "INFO"), ("level", True), ("failure_level", -1), ("content", 1)],
)
def test_illegal_values_are_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Logging(**{field: value})


def test_logging_must_stand_outside_of_the_mask():
    with pytest.raises(ImpossibleOrder, match=r"Logging.*PiiMask"):
        check_order([PiiMask(), Logging()])


async def test_the_number_of_attempts_is_that_of_the_answer(logger, kept):
    await drive_model(
        [Logging(logger=logger), Retry(attempts=3, base_s=0.001)], Script([Overloaded(), reply("ok")]), model_call()
    )

    assert kept.records[0].par_attempt == 2
