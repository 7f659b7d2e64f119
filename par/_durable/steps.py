"""The runner that records steps, and returns what was recorded instead of running a step again."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast, final

import anyio.lowlevel
import attrs

from par._durable.deciding import answer_of, approval_of, need_of
from par._durable.fenced import Fenced
from par._durable.fold import folded, spent
from par._durable.keeper import Keeper
from par._durable.log import Change, Lease, Opened, SessionLog, StepRecord, Totals
from par._engine.run import Run
from par._engine.steps import Asked, Decision, Said, Step, TurnBegun, TurnEnded, run_side_by_side
from par._ids import UlidSource
from par.calls import ModelReply, Receive
from par.deltas import Emit
from par.errors import ReplayMismatch, UsageError
from par.events import ApprovalDecided, ApprovalRequested, MessagesReceived, RunResumed
from par.messages import Message, Text, User
from par.outcomes import NeedsApproval
from par.sessions import Approval, TurnInfo

__all__ = ["DurableSteps", "WorkedAt"]

T = TypeVar("T")


class WorkedAt(Protocol):
    """What the runner needs of its turn."""

    opened: Opened
    lease: Lease
    store: Fenced
    definition: str
    message_id: str | None
    info: TurnInfo | None

    @property
    def number(self) -> int: ...


@final
class DurableSteps:
    """Runs the steps of one run of a durable session.

    The result of each step is durable, with its events and the session's counts, before the engine goes on. Of a step
    whose effect must not be repeated it is durable beforehand that it is about to happen.
    """

    can_suspend = True

    def __init__(self, turn: "WorkedAt", run: Run, log: SessionLog, keeper: Keeper, emit: Emit) -> None:
        self._turn = turn
        self._run = run
        self._log = log
        self._keeper = keeper
        self._emit = emit
        self._ids = UlidSource()  # so that approvals sort as they were asked for
        info = turn.opened.info
        self._totals = Totals(steps=info.steps, tokens=info.tokens, cost_micro=info.cost_micro)
        self._records = {record.ordinal: record for record in turn.opened.steps}
        self._approvals = {approval.ordinal: approval for approval in turn.opened.approvals}
        self._at_work: dict[str, StepRecord] = {}
        self._claimed: set[str] = set()
        self._mail: dict[int, tuple[tuple[Message, ...], dict[str, int]]] = {}
        self._base: int | None = None
        """How many messages of the transcript are of turns before this one, once that is known."""
        self._replayed: set[int] = set()
        self._diverged = False

    @property
    def publish(self) -> Emit:
        """Shows a delta to whoever watches."""
        return self._emit

    # --- steps -----------------------------------------------------------------------------------------

    def knows(self, ordinal: int, /) -> bool:
        """Tell whether the step with this ordinal is recorded."""
        record = self._records.get(ordinal)
        return record is not None and record.status == "done"

    def recorded(self, ordinal: int, name: str, /) -> object | None:
        """Return what is recorded of the tool call with this ordinal and name, if it has ended."""
        found = self._records.get(ordinal)
        same = found is not None and (found.status, found.kind, found.name) == ("done", "tool", name)
        return found.result if found is not None and same else None

    def left(self, ordinal: int, /) -> bool:
        """Tell whether a process before this one was at work at the step, and nobody knows what came of it."""
        record = self._records.get(ordinal)
        return record is not None and record.status == "started"

    def unsaid(self) -> Said | None:
        """Return what is recorded of the turn, if it is more than the run has come to when it ends."""
        opened, run = self._turn.opened, self._run
        if opened.open is None or not (self._turn.info is None or self._diverged or self._is_behind()):
            return None
        if self._base is None:
            self._base = len(run.transcript)
        usage, calls = spent(self._records.values())
        said = folded(attrs.evolve(opened.open, messages=()), self._records.values())
        return Said(before=self._base, messages=said, usage=usage, model_calls=calls)

    def _is_behind(self) -> bool:
        done = [
            step for step in self._turn.opened.steps if step.status == "done" and step.ordinal not in self._replayed
        ]
        return any(step.ordinal > self._run.ordinal or step.kind == "model" for step in done)

    async def step(self, step: Step[T], /) -> T:
        """Return the result of the step: as it was recorded, or by running it and recording it.

        Raises:
            ReplayMismatch: if something else is recorded under its ordinal.
            LeaseLost: if another process has the session; then the step was not run, or its result not recorded.
            StoreError: if it cannot be recorded.
        """
        found = self._records.get(step.ordinal)
        if found is not None:
            self._check(step, found)
            if found.status == "done":
                await anyio.lowlevel.checkpoint()
                self._replayed.add(step.ordinal)
                return cast("T", found.result)  # the log decodes what a step of this kind came to
        attempt = 1 if found is None else found.attempt + 1
        record = StepRecord(
            turn=self._turn.number,
            ordinal=step.ordinal,
            kind=step.kind,
            name=step.name,
            key=step.key,
            status="started",
            attempt=attempt,
        )
        settled = step.doubtful(self._turn.opened.rival) if found is not None and step.doubtful is not None else None
        if settled is not None:
            await self._record(step, record, settled)
            return settled
        await self._keeper.ensure(self._turn.lease)
        self._at_work[step.key] = record
        result = await step.body()
        await self._record(step, self._at_work.pop(step.key), result)
        return result

    async def steps(self, steps: Sequence[Step[T]], /, *, limit: int) -> list[T]:
        """Run steps side by side, at most ``limit`` at a time; see ``step``."""
        if len(steps) == 1:
            return [await self.step(steps[0])]
        return await run_side_by_side(steps, self.step, limit)

    async def claim(self, key: str, /) -> None:
        """Record that the effect of a step is about to happen.

        Raises:
            LeaseLost: if another process has the session: the effect must not happen.
            StoreError: if it cannot be recorded.
        """
        record = self._at_work.get(key)
        if record is None:
            raise UsageError(f"no step with the key {key!r} is at work: layers pass on the call's own ctx")
        if key in self._claimed:  # an attempt before this one has failed
            return
        await self._keeper.ensure(self._turn.lease)
        self._turn.store.add(Change(lease=self._turn.lease, steps=(record,)))
        await self._run.flush()
        self._claimed.add(key)

    async def _record(self, step: Step[T], record: StepRecord, result: T) -> None:
        usage = result.usage if isinstance(result, ModelReply) else None
        self._totals = Totals(
            steps=self._totals.steps + 1,
            tokens=self._totals.tokens + (0 if usage is None else usage.total_tokens),
            cost_micro=self._totals.cost_micro + (0 if usage is None else usage.cost_micro),
        )
        inbox, takes = self._mail.pop(step.ordinal, ((), {}))
        done = attrs.evolve(record, status="done", result=result, inbox=inbox)
        self._records[step.ordinal] = done
        self._turn.store.add(
            Change(
                lease=self._turn.lease,
                steps=(done,),
                takes=takes,
                totals=self._totals,
            )
        )
        await self._run.flush()

    def _check(self, step: Step[T], found: StepRecord) -> None:
        same = found.kind == step.kind and (step.kind == "model" or found.name == step.name)
        if not same:
            self._diverged = True
            raise ReplayMismatch(
                self._run.session_id,
                ordinal=step.ordinal,
                recorded=f"{found.kind} {found.name}",
                wanted=f"{step.kind} {step.name}",
            )

    # --- people ----------------------------------------------------------------------------------------

    async def wait(self, asked: Sequence[Asked], /) -> list[Decision | NeedsApproval]:
        """Return for each call what was decided, or what it still needs; whoever has not been asked is asked now.

        A call that nobody decided about in time counts as rejected.
        """
        now = self._run.clock.now()
        answers = [self._answered(call, now) for call in asked]
        if self._turn.store.waiting():
            await self._run.flush()
        return answers

    def _answered(self, call: Asked, now: datetime) -> Decision | NeedsApproval:
        approval = self._approvals.get(call.ordinal)
        if approval is None:
            approval = self._asked(call, now)
        elif approval.status == "pending" and approval.expires_at is not None and approval.expires_at <= now:
            approval = self._expired(approval, now)
        if approval.status == "pending":
            return need_of(call.need, approval)
        return answer_of(approval)

    def _asked(self, call: Asked, now: datetime) -> Approval:
        approval = approval_of(
            call, id_=self._ids.next(), session=self._run.session_id, turn=self._turn.number, now=now
        )
        self._keep(approval)
        self._run.tell(
            ApprovalRequested(
                approval=approval.id,
                call_id=approval.call_id,
                tool=approval.tool,
                arguments=approval.arguments,
                prompt=approval.prompt,
                key=approval.key,
                roles=approval.roles,
                risk=approval.risk,
                expires_at=approval.expires_at,
            )
        )
        return approval

    def _expired(self, approval: Approval, now: datetime) -> Approval:
        expired = attrs.evolve(approval, status="expired", decided_at=now)
        self._keep(expired)
        self._run.tell(
            ApprovalDecided(approval=approval.id, call_id=approval.call_id, tool=approval.tool, decision="expired")
        )
        return expired

    def _keep(self, approval: Approval) -> None:
        self._approvals[approval.ordinal] = approval
        self._turn.store.add(Change(lease=self._turn.lease, approvals=(approval,)))

    # --- what is sent to the session -------------------------------------------------------------------

    async def inbox(self, ordinal: int, receive: Receive, /, *, follow_ups: bool) -> tuple[Message, ...]:
        """Return the messages that were sent for this model call; they are taken when the call is recorded.

        Raises:
            StoreError: if the store cannot tell.
        """
        found = self._records.get(ordinal)
        if found is not None:
            return found.inbox
        if not self._turn.store.has_mail:
            return ()
        signals = [
            signal for signal in await self._log.inbox(self._run.session_id) if follow_ups or signal.name == "steer"
        ]
        if not signals:
            return ()
        sent = tuple([User((Text(str(signal.body.get("text", ""))),)) for signal in signals])
        messages = await receive(sent)
        self._mail[ordinal] = (messages, {signal.id: ordinal for signal in signals})
        self._run.tell(MessagesReceived(call_id=f"model-{ordinal}", messages=messages))
        return messages

    async def has_mail(self, ordinal: int, /) -> bool:
        """Tell whether messages wait for the model call with this ordinal.

        Raises:
            StoreError: if the store cannot tell.
        """
        if ordinal in self._records:
            return True
        return self._turn.store.has_mail and bool(await self._log.inbox(self._run.session_id))

    async def stopped(self) -> str | None:
        """Return why somebody has asked the turn to end.

        Raises:
            StoreError: if the store cannot tell.
        """
        if self._turn.store.has_mail and not self.knows(self._run.ordinal + 1):
            await self._keeper.look_for(self._turn.lease)
        return self._run.session.interrupted

    # --- the turn --------------------------------------------------------------------------------------

    async def commit(self, change: TurnBegun, /) -> None:
        """Record that the turn has begun, or that this run goes on with it.

        Raises:
            LeaseLost: if another process has the session.
            StoreError: if it cannot be recorded.
        """
        opened, run = self._turn.opened, self._run
        if opened.open is None and opened.lease.fence > 1:
            await self._pass_over_old_orders()
        first = opened.info.turns == 0 and opened.open is None
        self._base = 0 if first or not opened.turns else len(change.history)
        if opened.open is None:
            info = TurnInfo(
                number=self._turn.number,
                id=run.run_id,
                agent=run.agent_name,
                definition=self._turn.definition,
                state=run.status,
                message_id=self._turn.message_id,
                input=(*change.history, *change.input) if first else change.input,
                started_at=run.clock.now(),
            )
            run.tell(change.event)
        else:
            info = attrs.evolve(
                opened.open,
                agent=run.agent_name,
                definition=self._turn.definition,
                state=run.status,
                attempt=opened.open.attempt + 1,
                messages=(),
            )
            run.tell(
                RunResumed(
                    agent=run.agent_name,
                    model=run.plan.model_name,
                    turn=info.number,
                    turn_id=info.id,
                    attempt=info.attempt,
                    steps=sum(record.status == "done" for record in opened.steps),
                    migrated=opened.open.definition != self._turn.definition,
                )
            )
        self._turn.info = info
        self._turn.store.add(Change(lease=self._turn.lease, turn=info, state=run.status))
        await run.flush()

    async def _pass_over_old_orders(self) -> None:
        """Take the orders to stop that were meant for a turn before this one, and came when it had ended."""
        lease = self._turn.lease
        while late := (await self._log.stops([lease.session])).get(lease.session):
            await self._log.commit(Change(lease=lease, takes={late.id: 0}), ())

    def ends(self, change: TurnEnded, /) -> None:
        """Let what the turn came to be recorded with the last event of the run; the session is then given back."""
        run = self._run
        info = self._turn.info or self._turn.opened.open  # of one that is resumed, a layer may end the run at once
        lease = self._turn.lease
        taken = dict.fromkeys(self._keeper.obeyed(lease.session), 0)
        if info is None:  # a layer ended the run before the turn began: there is none
            self._turn.store.add(Change(lease=lease, state=run.status, takes=taken, releases=True))
            return
        now = run.clock.now()
        over = change.stop_reason != "suspended"
        if over:  # what came for a call that was never answered is in the conversation all the same
            for _, takes in self._mail.values():
                taken.update(takes)
        info = attrs.evolve(
            info,
            state=run.status,
            messages=change.messages[self._base :],
            stop_reason=change.stop_reason,
            cause=change.cause,
            error=change.error,
            usage=run.usage,
            model_calls=change.model_calls,
            ended_at=now if over else None,
        )
        withdrawn = [
            attrs.evolve(approval, status="withdrawn", decided_at=now)
            for approval in self._approvals.values()
            if over and approval.status == "pending"
        ]
        self._turn.store.add(
            Change(
                lease=lease,
                turn=info,
                clears_results=over,
                takes=taken,
                approvals=tuple(withdrawn),
                state=run.status,
                totals=self._totals.without(self._turn.store.refused),
                releases=True,
            )
        )
