"""The provider under test, and what it is put on for one scenario."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, TypeAlias, final

import anyio
import attrs

from par._json import JsonSyntaxError, load_json
from par._pipeline.handler import ModelHandler
from par.calls import ModelCall, ModelReply, OutputSpec, Settings, ToolSpec, checked_reply
from par.deltas import Delta, ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import UsageError
from par.messages import Prompt, Reasoning, as_messages
from par.testing._server.script import Script
from par.testing._server.seen import ApiName, SeenRequest
from par.testing._server.server import ProviderServer, provider_server

__all__ = ["Bench", "Capability", "ContractBroken", "Subject", "expect"]

Capability: TypeAlias = Literal[
    "documents",
    "document_urls",
    "images",
    "opaque",
    "reasoning",
    "result_images",
    "streaming",
]
"""What a provider, or its API, may lack.

``documents`` as bytes and ``document_urls``; ``images``, and ``result_images`` in results of tools; ``reasoning`` that is
sent back; ``opaque`` blocks, kept and sent back; ``streaming`` in pieces. What is lacking must be refused with
``UsageError`` when it is asked for, and not left out; without ``streaming`` the whole answer must be emitted.
"""
_REFUSED_IF_LACKING = frozenset({"documents", "document_urls", "images", "result_images"})


class ContractBroken(AssertionError):
    """A provider does not do what the contract says."""


def expect(fact: object, otherwise: str) -> None:
    """Raise ``ContractBroken`` with this sentence unless the fact holds."""
    if not fact:
        raise ContractBroken(otherwise)


@attrs.frozen(kw_only=True)
class Subject:
    """A provider under test.

    ``open`` is an async context manager that gives a model which asks the server it is handed, by ``server.base_url``
    and ``server.key``; it closes the model's connections at its end. ``api`` is what the model speaks.
    """

    api: ApiName
    open: Callable[[ProviderServer], AbstractAsyncContextManager[ModelHandler]]
    lacks: frozenset[Capability] = attrs.field(default=frozenset(), converter=frozenset)

    def has(self, capability: Capability) -> bool:
        """Tell whether the provider can do it."""
        return capability not in self.lacks

    def must_refuse(self, capability: Capability) -> bool:
        """Tell whether it has to say no to what needs this."""
        return capability in self.lacks and capability in _REFUSED_IF_LACKING


@final
class Bench:
    """A server, a model that asks it, and how: whole or streamed."""

    def __init__(self, subject: Subject, server: ProviderServer, model: ModelHandler, *, stream: bool) -> None:
        self.subject = subject
        self.server = server
        self.model = model
        self.stream = stream
        self.deltas: list[Delta] = []
        self.shown = anyio.Event()
        """Set when the first delta is emitted."""

    @classmethod
    @asynccontextmanager
    async def put_up(cls, subject: Subject, script: Script, *, stream: bool) -> "AsyncGenerator[Bench]":
        """Serve the script and open the model; the block must end without a request that a real API would refuse."""
        async with provider_server(script) as server, subject.open(server) as model:
            yield cls(subject, server, model, stream=stream)
            expect(not server.refusals, f"the server refuses: {'; '.join(server.refusals)}")

    async def ask(
        self,
        prompt: Prompt = "Hello",
        *,
        tools: tuple[ToolSpec, ...] = (),
        settings: Settings | None = None,
        output: OutputSpec | None = None,
    ) -> ModelReply:
        """Make a call; what it emitted must be what it returned."""
        self.deltas = []
        call = ModelCall(
            model="test",
            messages=as_messages(prompt),
            tools=tools,
            settings=settings if settings is not None else Settings(),
            output=output,
            stream=self.stream,
            emit=self._watch,
        )
        reply = checked_reply(await self.model(call))
        if self.stream:
            self._compare(reply)
        else:
            expect(not self.deltas, "deltas were emitted although nobody asked for a stream")
        return reply

    async def must_fail(self, prompt: Prompt = "Hello") -> Exception:
        """Make a call and return what it raises."""
        try:
            reply = await self.ask(prompt)
        except ContractBroken:
            raise
        except Exception as error:  # noqa: BLE001 # which one it is, is what the scenario looks at
            return error
        raise ContractBroken(f"the call should have failed, and returned {reply.message!r}")

    async def must_refuse(self, prompt: Prompt, *, tools: tuple[ToolSpec, ...] = ()) -> None:
        """Make a call that asks for what the provider lacks."""
        try:
            await self.ask(prompt, tools=tools)
        except UsageError:
            expect(not self.server.requests, "the request was sent before it was refused")
            return
        raise ContractBroken("what the provider lacks was left out of the request, and nobody was told")

    def sent(self, number: int = -1) -> str:
        """Return the body of a request, as text to look into."""
        return str(self.request(number).body)

    def request(self, number: int = -1) -> SeenRequest:
        """Return a request that the model has made; by default the last."""
        expect(self.server.requests, "no request was made")
        return self.server.requests[number]

    async def _watch(self, delta: Delta) -> None:  # noqa: ASYNC124 # an Emit is async
        self.deltas.append(delta)
        self.shown.set()

    def _compare(self, reply: ModelReply) -> None:
        text = "".join([delta.text for delta in self.deltas if isinstance(delta, TextDelta)])
        expect(text == reply.message.text, f"streamed {text!r}, returned {reply.message.text!r}")
        thoughts = "".join([delta.text for delta in self.deltas if isinstance(delta, ReasoningDelta)])
        kept = "".join([block.text for block in reply.message.content if isinstance(block, Reasoning)])
        expect(thoughts == kept, f"the reasoning was streamed as {thoughts!r}, returned as {kept!r}")
        uses: dict[str, list[str]] = {}
        for delta in self.deltas:
            if isinstance(delta, ToolUseDelta):
                uses.setdefault(delta.id, []).append(delta.arguments)
        for use in reply.message.tool_uses:
            expect(use.id in uses, f"the tool use {use.id!r} was returned and not streamed")
            arguments = "".join(uses.pop(use.id))
            same = arguments == use.malformed if use.malformed is not None else _load(arguments) == use.arguments
            expect(same, f"the arguments were streamed as {arguments!r}, returned as {use.arguments!r}")
        expect(not uses, f"tool uses were streamed and not returned: {', '.join(uses)}")


def _load(arguments: str) -> object:
    try:
        return load_json(arguments) if arguments else {}
    except JsonSyntaxError:
        return None
