"""Keep personal data out of models, histories, events and logs."""

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar, Literal, TypeAlias, final

import attrs

from par._context import EventEmit, RunContext
from par._pipeline.handler import ModelHandler, RunHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, Receive, RunCall, RunResult, ToolCall
from par.deltas import discard
from par.errors import ParError
from par.events import BashCompleted, BashInvoked, Event, PiiMasked, ToolProgress
from par.messages import Assistant, Message, Reasoning
from par.middleware._checks import Field, choice
from par.middleware._pii_detector import Detector
from par.middleware._pii_find import DEFAULT_DETECTORS, Finder
from par.middleware._pii_masker import Masker, Redactor
from par.middleware._pii_restore import restore_object, restore_value
from par.middleware._pii_stream import ReplyStream, RestoringStream
from par.middleware._pii_vault import Vault, VaultSession
from par.middleware._sanitize import Sanitize
from par.outcomes import Cancelled, Done, Failed, Handoff, TimedOut, ToolOutcome, Unknown

__all__ = ["PiiMask"]

_Mode: TypeAlias = Literal["redact", "vault"]


def _detectors(value: Iterable[Detector]) -> tuple[Detector, ...]:
    return tuple(value)


def _some_detectors(_instance: object, field: Field, value: tuple[Detector, ...]) -> None:
    if not value:
        raise ValueError(f"{field.name} must hold at least one detector: a mask without any hides nothing")
    for detector in value:
        if isinstance(detector, type):
            raise TypeError(f"{field.name} holds the class {detector.__name__}: put an instance there")
        missing = [name for name in ("kind", "max_chars", "find", "surrogate") if not hasattr(detector, name)]
        if missing:
            raise TypeError(f"{field.name} holds {detector!r}, which has no {missing[0]}")


@final
class _RunState:
    """What is known of one run: how to mask for it, and what of its conversation is masked already."""

    __slots__ = ("clean", "masker", "raw", "session")

    def __init__(self, masker: Masker, session: VaultSession | None) -> None:
        self.masker = masker
        self.session = session
        self.raw: tuple[Message, ...] = ()
        self.clean: tuple[Message, ...] = ()

    def masked(self, messages: tuple[Message, ...], found: Counter[str]) -> tuple[Message, ...]:
        """Return the messages masked, looking only at those that are new since the last time."""
        known = len(self.raw)
        # equality of tuples compares identical members first, so this is a walk over pointers
        if not known or messages[:known] != self.raw:
            known = 0
        fresh = [self.masker.message(message, found) for message in messages[known:]]
        changed = any(new is not old for new, old in zip(fresh, messages[known:], strict=True))
        same_before = self.clean is self.raw or known == 0
        self.clean = messages if same_before and not changed else (*self.clean[:known], *fresh)
        self.raw = messages
        return self.clean


@attrs.frozen(kw_only=True, eq=False)
class PiiMask:
    """Replaces personal data and secrets at the three borders of a run.

    What comes in is masked before anything else sees it. What the model makes up is masked before it is shown,
    stored or handed to a tool, in text, reasoning and arguments, keys and numbers included. What tools answer is
    masked before the model reads it. So history, events, audit and logs hold only what was masked.

    In ``redact`` mode a hit becomes ``[kind]`` and is gone. In ``vault`` mode it becomes a made-up value of the same
    form, the same one for the same value throughout a session; tools with ``sees_pii=True`` get the real values, and
    so do the run's output and the text that is streamed to its reader. The messages of the result stay masked.

    A stream is held back by what may still become a hit: mostly one word, never more than ``holds_back`` characters.
    Provider blocks that must be sent back word for word (``Opaque``) are left alone.
    """

    order: ClassVar[Order] = Order(outside_of=(Sanitize,))

    mode: _Mode = attrs.field(default="redact", validator=choice("redact", "vault"))
    """Hide for good, or reversibly."""
    detectors: tuple[Detector, ...] = attrs.field(
        default=DEFAULT_DETECTORS, converter=_detectors, validator=_some_detectors
    )
    """What is looked for: secrets, e-mail addresses, cards, IBANs, US social security numbers and phone numbers unless
    said otherwise; ``IpAddresses()`` and detectors of one's own can be added."""
    vault: Vault = attrs.field(factory=Vault, repr=False, validator=attrs.validators.instance_of(Vault))
    """Where ``vault`` mode keeps its values; share one to share them."""

    _finder: Finder = attrs.field(init=False, repr=False)
    _redactor: Masker = attrs.field(init=False, repr=False)
    _runs: dict[str, _RunState] = attrs.field(factory=dict[str, _RunState], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        finder = Finder(self.detectors)
        object.__setattr__(self, "_finder", finder)
        object.__setattr__(self, "_redactor", Masker(finder, Redactor()))

    @property
    def holds_back(self) -> int:
        """The most characters of a stream that are ever kept back."""
        return self._finder.longest

    def _new_state(self, ctx: RunContext[object]) -> _RunState:
        if self.mode == "redact":
            return _RunState(self._redactor, None)
        session = self.vault.session(ctx.session_id)
        return _RunState(Masker(self._finder, session), session)

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        """Mask what comes in; in ``vault`` mode, put the real values back into what goes out."""
        run_id = call.ctx.run_id
        state = self._new_state(call.ctx)
        owns = run_id not in self._runs
        if owns:
            self._runs[run_id] = state
        try:
            return await self._run(call, call_next, state)
        except ParError as error:
            state.masker.scrub(error)
            raise
        finally:
            if owns:
                del self._runs[run_id]

    async def _run(self, call: RunCall, call_next: RunHandler, state: _RunState) -> RunResult[object]:
        found: Counter[str] = Counter()
        masker = state.masker
        fresh = tuple([masker.message(message, found) for message in call.input])
        history = tuple([masker.message(message, found) for message in call.history])
        if found:
            call = attrs.evolve(call, input=fresh, history=history)
            await call.ctx.emit(PiiMasked(where="input", found=dict(found)))
        call = attrs.evolve(call, receive=_masked_receive(masker, call))
        session = state.session
        if session is None:
            return await call_next(call)
        stream = RestoringStream(session, call.emit)
        if call.emit is not discard:
            call = attrs.evolve(call, emit=stream.emit)
        result = await call_next(call)
        await stream.finish()
        value = restore_value(session, result.value)
        return result if value is result.value else attrs.evolve(result, value=value)

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Mask what goes to the provider, where something still is there, and what comes back."""
        state = self._runs.get(call.ctx.run_id) or self._new_state(call.ctx)
        masker = state.masker
        found: Counter[str] = Counter()
        messages = state.masked(call.messages, found)
        if found:
            await call.ctx.emit(PiiMasked(where="input", found=dict(found), call_id=call.ctx.call_id or None))
            found.clear()
        stream = None
        if call.emit is not discard:
            stream = ReplyStream(masker, call.emit)
            call = attrs.evolve(call, messages=messages, emit=stream.emit)
        elif messages is not call.messages:
            call = attrs.evolve(call, messages=messages)
        try:
            reply = await call_next(call)
        except ParError as error:
            masker.scrub(error)
            raise
        if stream is None:
            message = masker.assistant(reply.message, found)
        else:
            message = await _shown(stream, masker, reply, found)
        if not found:
            return reply
        await call.ctx.emit(PiiMasked(where="reply", found=dict(found), call_id=call.ctx.call_id or None))
        return attrs.evolve(reply, message=message)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Hand the tool what it may see, and mask what it says."""
        state = self._runs.get(call.ctx.run_id) or self._new_state(call.ctx)
        masker = state.masker
        if not call.tool.spec.sees_pii:
            arguments = masker.json_object(call.arguments, Counter())
        else:
            arguments = call.arguments if state.session is None else restore_object(state.session, call.arguments)
        emit = _masked_emit(masker, call.emit or call.ctx.emit)
        if arguments is call.arguments:
            call = attrs.evolve(call, emit=emit)
        else:
            call = attrs.evolve(call, emit=emit, arguments=arguments)
        try:
            outcome = await call_next(call)
        except ParError as error:
            masker.scrub(error)
            raise
        found: Counter[str] = Counter()
        outcome = _masked_outcome(masker, outcome, found)
        if found:
            await call.ctx.emit(PiiMasked(where="tool_result", found=dict(found), call_id=call.id))
        return outcome


async def _shown(stream: ReplyStream, masker: Masker, reply: ModelReply, found: Counter[str]) -> Assistant:
    raw = reply.message
    text_rest, reasoning_rest = stream.text.finish(), stream.reasoning.finish()
    reasoning = "".join([block.text for block in raw.content if isinstance(block, Reasoning)])
    message = masker.assistant(
        raw,
        found,
        text_edits=stream.text.edits if stream.text.text == raw.text else None,
        reasoning_edits=stream.reasoning.edits if stream.reasoning.text == reasoning else None,
    )
    await stream.finish(raw, message, text=text_rest, reasoning=reasoning_rest)
    return message


def _masked_receive(masker: Masker, call: RunCall) -> Receive:
    async def masked(messages: tuple[Message, ...], /) -> tuple[Message, ...]:
        found: Counter[str] = Counter()
        clean = tuple([masker.message(message, found) for message in await call.receive(messages)])
        if found:
            await call.ctx.emit(PiiMasked(where="input", found=dict(found)))
        return clean

    return masked


def _masked_emit(masker: Masker, emit: EventEmit) -> EventEmit:
    async def masked(event: Event) -> None:
        await emit(_masked_event(masker, event))

    return masked


def _masked_event(masker: Masker, event: Event) -> Event:
    """Mask what a tool tells of itself; other events are told by those who have masked them."""
    found: Counter[str] = Counter()
    if isinstance(event, ToolProgress):
        message = masker.text(event.message, found)
        return attrs.evolve(event, message=message) if found else event
    if isinstance(event, BashInvoked):
        command = masker.json_object(event.command, found)
        argv = tuple([masker.text(part, found) for part in event.argv])
        return attrs.evolve(event, command=command, argv=argv) if found else event
    if isinstance(event, BashCompleted):
        details = masker.json_object(event.details, found)
        return attrs.evolve(event, details=details) if found else event
    return event


def _masked_outcome(masker: Masker, outcome: ToolOutcome, found: Counter[str]) -> ToolOutcome:
    if isinstance(outcome, Done):
        content = masker.json(outcome.content, found)
        blocks = masker.shown(outcome.blocks, found)
        return attrs.evolve(outcome, content=content, blocks=blocks) if found else outcome
    if isinstance(outcome, (Failed, TimedOut)):
        message = masker.text(outcome.message, found)
        return attrs.evolve(outcome, message=message) if found else outcome
    if isinstance(outcome, (Cancelled, Unknown)):
        reason = masker.text(outcome.reason, found)
        return attrs.evolve(outcome, reason=reason) if found else outcome
    if isinstance(outcome, Handoff):
        task = None if outcome.task is None else masker.text(outcome.task, found)
        return attrs.evolve(outcome, task=task) if found else outcome
    prompt = masker.text(outcome.prompt, found)
    details = masker.json_object(outcome.details, found)
    return attrs.evolve(outcome, prompt=prompt, details=details) if found else outcome
