"""What must be true of a session that was killed and went on, told as sentences where it is not."""

import json
from collections import Counter
from pathlib import Path

import attrs
from durable import ledger
from durable.script import EFFECTS, PROBED

from par import codec
from par.events import (
    ApprovalDecided,
    ApprovalRequested,
    Envelope,
    ModelCallEnded,
    RunEnded,
    RunResumed,
    RunStarted,
    ToolCallEnded,
)
from par.messages import ToolResults
from par.sessions import Approval, SessionInfo, TurnInfo
from par.states import TaskState


@attrs.frozen(kw_only=True)
class Observed:
    """All that a store, the ledger and the clients know of a session."""

    session: str
    info: SessionInfo | None
    turns: tuple[TurnInfo, ...]
    steps: dict[int, tuple]
    """The recorded steps, by turn."""
    approvals: tuple[Approval, ...]
    events: tuple[Envelope, ...]
    broken: tuple[str, ...]
    """What is wrong with its chain."""
    ledger: tuple[ledger.Entry, ...]
    acks: tuple[tuple[dict, ...], ...] = ()
    """What each of the processes was acknowledged."""

    @property
    def messages(self):
        """The conversation, as the ended turns have it."""
        return [message for turn in self.turns for message in turn.messages]


async def observe(store, session, *, ledger_file, acks=()):
    """Look at a session."""
    log = store.session_log()
    turns = await log.turns(session)
    verification = await store.verify(session)
    return Observed(
        session=session,
        info=await log.session(session),
        turns=turns,
        steps={turn.number: await log.steps(session, turn.number) for turn in turns},
        approvals=await log.approvals(session),
        events=tuple(await store.events(session)),
        broken=tuple(str(broken) for broken in verification.broken),
        ledger=ledger.read(ledger_file),
        acks=tuple(read_acks(file) for file in acks),
    )


def read_acks(file):
    """Return what a process was acknowledged; the last line may be cut off by its end."""
    if not Path(file).exists():
        return ()
    lines = Path(file).read_text().splitlines(keepends=True)
    return tuple(json.loads(line) for line in lines if line.endswith("\n"))


def violations(seen, wanted, *, kills):
    """Say what is wrong with a session that was to end as ``wanted``, the one that nobody disturbed, has ended."""
    if seen.info is None:
        return ["there is no session"]
    return [
        *_stuck(seen),
        *_transcript(seen, wanted, kills),
        *_steps(seen, wanted),
        *_folds(seen),
        *_results(seen),
        *_told_once(seen),
        *_approvals(seen),
        *always(seen),
    ]


def always(seen):
    """Say what is wrong with a session at which nobody works, however its turns have ended."""
    return [*_counters(seen), *_effects(seen), *_events(seen), *_acknowledged(seen)]


def _stuck(seen):
    info = seen.info
    if info.state is not TaskState.COMPLETED:
        yield f"the session is {info.state}"
    if info.owner is not None or info.lease_until is not None:
        yield f"a lease is left: {info.owner} until {info.lease_until}"
    for turn in seen.turns:
        if turn.is_open or turn.state is not TaskState.COMPLETED or turn.stop_reason != "finished":
            yield f"turn {turn.number} is {turn.state}, {turn.stop_reason}"


def _transcript(seen, wanted, kills):
    ids = [turn.message_id for turn in seen.turns]
    if ids != [turn.message_id for turn in wanted.turns]:
        yield f"the turns answer {ids}"
    if info_turns := (seen.info.turns != len(seen.turns)) and f"{seen.info.turns} turns are counted":
        yield info_turns
    ours, theirs = seen.messages, wanted.messages
    unknown = 0
    if len(ours) != len(theirs):
        yield f"the transcript has {len(ours)} messages, not {len(theirs)}"
    for place, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if isinstance(mine, ToolResults) and isinstance(other, ToolResults):
            found = [_differs(one, two) for one, two in zip(mine.results, other.results, strict=False)]
            unknown += found.count("unknown")
            if "otherwise" in found or len(mine.results) != len(other.results):
                yield f"message {place} is {mine}, not {other}"
        elif mine != other:
            yield f"message {place} is {mine}, not {other}"
    if unknown > 2 * kills:  # two calls of a batch may have been at work
        yield f"{unknown} results are unknown after {kills} kills"


def _differs(mine, other):
    if mine == other:
        return ""
    same_call = (mine.tool_use_id, mine.name) == (other.tool_use_id, other.name)
    surfaced = mine.outcome == "unknown" and EFFECTS.get(mine.name) == "once"
    return "unknown" if same_call and surfaced else "otherwise"


def _steps(seen, wanted):
    for turn in seen.turns:
        steps = seen.steps[turn.number]
        if [step.ordinal for step in steps] != list(range(1, len(steps) + 1)):
            yield f"turn {turn.number} has the steps {[step.ordinal for step in steps]}"
        for step in steps:
            if step.status != "done":
                yield f"step {turn.number}.{step.ordinal} is {step.status}"
            if step.key != f"{turn.id}:{step.ordinal}":
                yield f"step {turn.number}.{step.ordinal} has the key {step.key}"
        kinds = [(step.kind, step.name) for step in seen.steps[turn.number]]
        other = [(step.kind, step.name) for step in wanted.steps.get(turn.number, ())]
        if _signed_in_doubt(turn) and len(kinds) < len(other):
            # it died before it asked, so it was not made again
            del other[max(place for place, step in enumerate(other) if step == ("tool", "sign"))]
        if kinds != other:
            yield f"turn {turn.number} took the steps {kinds}, not {other}"


def _signed_in_doubt(turn):
    results = [result for message in turn.messages if isinstance(message, ToolResults) for result in message.results]
    return any(result.name == "sign" and result.outcome == "unknown" for result in results)


def _counters(seen):
    info = seen.info
    replies = [one.event for one in seen.events if isinstance(one.event, ModelCallEnded) and one.event.message]
    done = sum(step.status == "done" for steps in seen.steps.values() for step in steps)
    tokens = sum(reply.usage.total_tokens for reply in replies if reply.usage)
    cost = sum(reply.usage.cost_micro for reply in replies if reply.usage)
    if info.steps != done:
        yield f"{info.steps} steps are counted, and {done} are recorded as done"
    if (info.tokens, info.cost_micro) != (tokens, cost):
        yield (
            f"{info.tokens} tokens and {info.cost_micro} micro are counted, and the events add up to {tokens} and {cost}"
        )


def _folds(seen):
    info = seen.info
    ended = sum(_ends(seen).values())
    if info.steps != ended:
        yield f"{info.steps} steps are counted, and the ends of {ended} are told"
    tokens = sum(turn.usage.total_tokens for turn in seen.turns)
    cost = sum(turn.usage.cost_micro for turn in seen.turns)
    if (info.tokens, info.cost_micro) != (tokens, cost):
        yield (
            f"{info.tokens} tokens and {info.cost_micro} micro are counted, and the turns add up to {tokens} and {cost}"
        )
    for turn in seen.turns:
        models = sum(step.kind == "model" for step in seen.steps[turn.number])
        if turn.model_calls != models:
            yield f"turn {turn.number} counts {turn.model_calls} model calls, and {models} are recorded"


def _effects(seen):
    happened = Counter(entry.key for entry in seen.ledger if entry.what == "effect")
    begun = Counter(entry.key for entry in seen.ledger if entry.what == "begin")
    meant = {}
    for entry in seen.ledger:
        call = (entry.tool, entry.argument)
        if meant.setdefault(entry.key, call) != call:
            yield f"the key {entry.key} was given to {meant[entry.key]} and to {call}"
        if entry.key.split(":")[0] not in [turn.id for turn in seen.turns]:
            yield f"{entry.tool} had the key {entry.key} of no turn"
    for key, (tool, argument) in meant.items():
        if EFFECTS[tool] == "once" and happened[key] > 1:
            yield f"{tool}({argument}) may happen once and happened {happened[key]} times"
        if EFFECTS[tool] == "once" and tool not in PROBED and begun[key] > 1:
            yield f"{tool}({argument}) may happen once and was begun {begun[key]} times"


def _results(seen):
    names = {step.key: step.name for steps in seen.steps.values() for step in steps if step.kind == "tool"}
    happened = {entry.key for entry in seen.ledger if entry.what == "effect"}
    for entry in seen.ledger:
        if names.get(entry.key) != entry.tool:
            yield f"{entry.tool} had the key {entry.key}, which is that of {names.get(entry.key)}"
    for turn in seen.turns:
        for key, name, outcome in _outcomes(turn, seen.steps[turn.number]):
            if outcome == "done" and key not in happened:
                yield f"{name} (key {key}) is told as done and never happened"


def _outcomes(turn, steps):
    """Return the key, the name and the outcome of each tool call of a turn, in order.

    A call that waited for a person was made again afterwards, by a step of its own behind those of its batch.
    """
    batches = [message.results for message in turn.messages if isinstance(message, ToolResults)]
    waiting = [step for step in steps if step.kind == "tool"]
    for results in batches:
        made, waiting = waiting[: len(results)], waiting[len(results) :]
        last = made[-1].ordinal if made else 0
        while waiting and waiting[0].ordinal == last + 1:  # else a model call is between them
            again = waiting.pop(0)
            made[[step.name for step in made].index(again.name)] = again
            last += 1
        yield from ((step.key, result.name, result.outcome) for step, result in zip(made, results, strict=False))


def _events(seen):
    if seen.broken:
        yield f"the chain is broken: {seen.broken}"
    if [one.seq for one in seen.events] != list(range(1, len(seen.events) + 1)):
        yield f"the events are numbered {[one.seq for one in seen.events]}"
    if len({one.id for one in seen.events}) != len(seen.events):
        yield "two events have one id"
    begun = [one.run for one in seen.events if isinstance(one.event, RunStarted)]
    if begun != [turn.id for turn in seen.turns]:
        yield f"the runs {begun} began, and the turns are {[turn.id for turn in seen.turns]}"
    ends = Counter(one.run for one in seen.events if isinstance(one.event, RunEnded))
    if any(times > 1 for times in ends.values()):
        yield f"a run ended twice: {ends}"
    for turn in seen.turns:
        again = [
            one.event for one in seen.events if isinstance(one.event, RunResumed) and one.event.turn == turn.number
        ]
        if [event.attempt for event in again] != sorted({event.attempt for event in again}):
            yield f"turn {turn.number} was resumed as attempts {[event.attempt for event in again]}"
        if again and turn.attempt < again[-1].attempt:
            yield f"turn {turn.number} counts {turn.attempt} attempts, and {again[-1].attempt} are told"


def _told_once(seen):
    ended = _ends(seen)
    if twice := [call for call, times in ended.items() if times > 1]:
        yield f"an end is told more than once: {twice}"
    for turn in seen.turns:
        told = sum(call[0] == turn.number for call in ended)
        if told != len(seen.steps[turn.number]):
            yield f"turn {turn.number} tells {told} ends of {len(seen.steps[turn.number])} steps"


def _ends(seen):
    """Count the ends of each call that are told, without those of calls that were cut short and made again."""
    turns = {turn.id: turn.number for turn in seen.turns}  # each run, and the turn at which it worked
    turns |= {one.run: one.event.turn for one in seen.events if isinstance(one.event, RunResumed)}
    parked = {
        one.run for one in seen.events if isinstance(one.event, RunEnded) and one.event.stop_reason == "suspended"
    }
    ends = {}
    for one in seen.events:
        if isinstance(one.event, ToolCallEnded | ModelCallEnded):
            waits = getattr(one.event, "outcome", "") == "needs_approval"  # it is made again afterwards
            call = (turns.get(one.run), type(one.event).__name__, one.event.call_id, waits)
            ends.setdefault(call, []).append(one.run in parked and _is_cut_short(one.event))
    return Counter({call: 1 + cut[:-1].count(False) for call, cut in ends.items()})


def _is_cut_short(event):
    return event.message is None if isinstance(event, ModelCallEnded) else event.outcome in ("cancelled", "unknown")


def _approvals(seen):
    asked = Counter(one.event.approval for one in seen.events if isinstance(one.event, ApprovalRequested))
    decided = Counter(one.event.approval for one in seen.events if isinstance(one.event, ApprovalDecided))
    for approval in seen.approvals:
        if approval.status != "approved":
            yield f"approval {approval.id} is {approval.status}"
        if (asked[approval.id], decided[approval.id]) != (1, 1):
            yield f"approval {approval.id} is told as asked {asked[approval.id]}, decided {decided[approval.id]} times"
    if len({approval.key for approval in seen.approvals}) != len(seen.approvals):
        yield "a call was asked about twice"
    if set(asked) != {approval.id for approval in seen.approvals}:
        yield f"approvals {set(asked)} are told, and the store has {[approval.id for approval in seen.approvals]}"


def _acknowledged(seen):
    stored = {one.seq: one.id for one in seen.events}
    texts = Counter(codec.dumps(one.event) for one in seen.events)
    decided = {approval.id for approval in seen.approvals if approval.status == "approved"}
    messages = [codec.encode(message) for message in seen.messages]
    for acks in seen.acks:
        for ack in acks:
            if ack["what"] == "event" and stored.get(ack["seq"]) != ack["id"]:
                yield f"the event {ack['seq']} was told and is not stored"
            if ack["what"] == "approved" and ack["approval"] not in decided:
                yield f"the approval {ack['approval']} was acknowledged and is not stored"
            finished = ack["what"] == "result" and ack["stop_reason"] == "finished"
            if finished and messages[: len(ack["messages"])] != ack["messages"]:
                yield f"the result of turn {ack['turn']} was returned and is not stored"
        lost = Counter(ack["event"] for ack in acks if ack["what"] == "saw") - texts
        if lost:
            yield f"a stream showed what is not stored: {lost}"
