"""An audit in a file or in Postgres, filled with a run that has something of everything."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import attrs

from par._ids import new_ulid
from par.cli import main
from par.events import (
    BashCompleted,
    BashInvoked,
    Envelope,
    ErrorInfo,
    ModelAttempted,
    ModelCallEnded,
    ModelCallStarted,
    RateLimitWaited,
    Retried,
    RunEnded,
    RunStarted,
    ToolCallEnded,
    ToolCallStarted,
)
from par.messages import Assistant, Text, ToolUse, User
from par.persistence import open_sqlite
from par.persistence._postgres_open import open_postgres
from par.states import TaskState
from par.usage import Usage

START = datetime(2025, 1, 31, 12, 0, 0, tzinfo=UTC)
LONG = "a very long value " * 40


@attrs.define
class Place:
    """An audit, as the command line and as the library know it."""

    name: str

    def open(self, **options):
        if self.name.startswith("postgresql:"):
            return open_postgres(self.name, **options)
        return open_sqlite(self.name, **options)

    def fill(self, *envelopes, **options):
        anyio.run(partial(self._fill, envelopes, options))
        return self

    async def _fill(self, envelopes, options):
        async with self.open(**options) as store:
            await store.append(envelopes)

    def ask(self, function, **options):
        """Return what the async function returns for the open store."""

        async def ask():
            async with self.open(**options) as store:
                return await function(store)

        return anyio.run(ask)

    def events(self, session=None):
        return self.ask(lambda store: store.events(session)._collect())


class Writer:
    """Numbers the events of a session, a tenth of a second after another."""

    def __init__(self, session="tea", run="run-1", parent=None, start=START):
        self.session, self.run, self.parent, self.start = session, run, parent, start
        self.seq = 0

    def __call__(self, event, **changes):
        self.seq += 1
        at = self.start + timedelta(seconds=0.1 * (self.seq - 1))
        fields = {"id": new_ulid(), "run": self.run, "step": 1, "parent": self.parent, "at": at, **changes}
        return Envelope(session=self.session, seq=self.seq, event=event, **fields)

    def all(self, *events):
        return [self(event) for event in events]


def started(agent="brewer", model="kettle:1", said="Make tea."):
    return RunStarted(agent=agent, model=model, input=(User((Text(said),)),))


def ended(stop_reason="finished", **changes):
    fields = {
        "status": TaskState.COMPLETED,
        "steps": 2,
        "usage": Usage(input_tokens=1200, output_tokens=34, requests=2, cost_micro=5600),
        "duration_s": 1.25,
    }
    return RunEnded(stop_reason=stop_reason, **{**fields, **changes})


def tool(call_id="c1", name="bash", outcome="done", content="two cups", arguments=None):
    arguments = arguments or {"cups": 2}
    return (
        ToolCallStarted(call_id=call_id, name=name, effect="read", arguments=arguments),
        ToolCallEnded(call_id=call_id, name=name, outcome=outcome, content=content, duration_s=0.05),
    )


def whole_run(writer=None, answer="Here is\nyour tea."):
    """Return the events of a run with a retry, a wait, a command and tools, one of which fails."""
    usage = Usage(input_tokens=600, output_tokens=17, requests=1, cost_micro=2800)
    asked = Assistant((ToolUse("c1", "bash", {"cups": 2}),))
    first, last = tool("c1", "bash", arguments={"text": LONG})
    return (writer or Writer()).all(
        started(),
        ModelCallStarted(call_id="m1", model="kettle:1", messages=2, tools=1),
        RateLimitWaited(call_id="m1", waited_s=1.5),
        ModelAttempted(
            call_id="m1", attempt=1, model="kettle:1", outcome="failed", duration_s=0.1, error_type="Overloaded"
        ),
        Retried(call_id="m1", attempt=1, delay_s=0.5, error_type="Overloaded"),
        ModelAttempted(call_id="m1", attempt=2, model="kettle:1", outcome="answered", duration_s=0.1, usage=usage),
        ModelCallEnded(call_id="m1", duration_s=0.3, message=asked, finish="tool_uses", usage=usage),
        first,
        BashInvoked(call_id="c1", op="ls", command={"op": "ls"}, argv=("ls", "-l"), risk="low", approved_by="ann"),
        BashCompleted(
            call_id="c1",
            op="ls",
            exit_code=2,
            duration_s=0.02,
            stdout_bytes=1234,
            stderr_bytes=5,
            truncated=False,
        ),
        last,
        *tool("c2", "stove", "failed", "it is off"),
        ModelAttempted(call_id="m2", attempt=1, model="kettle:1", outcome="answered", duration_s=0.1, usage=usage),
        ModelCallEnded(call_id="m2", duration_s=0.2, message=Assistant((Text(answer),)), finish="stop", usage=usage),
        ended(),
    )


def failed_run(writer):
    return writer.all(
        started(), ended("failed", status=TaskState.FAILED, error=ErrorInfo(type="Overloaded", message="no steam"))
    )


def run(capsys, *argv):
    """Return the exit code, the lines of standard output, and standard error."""
    code = main(["audit", *map(str, argv)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out.split("\n")[:-1], err


def objects(lines):
    return [json.loads(line) for line in lines]
