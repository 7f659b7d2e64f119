"""What the provider tests share: official clients over a mock transport, and recorded conversations."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import attrs
import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from par.calls import ModelCall
from par.deltas import ReasoningDelta, TextDelta, ToolUseDelta
from par.messages import Reasoning, Text, User
from par.providers._sse import SseReader

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared" / "data" / "wire"
RECORDED = Path(__file__).parent / "recorded"


class Body(httpx2.AsyncByteStream):
    """A body in given pieces, which remembers whether it was closed; an exception among them is raised."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.closed = False
        self.read = 0

    async def __aiter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if callable(piece):
                await piece()
                continue
            self.read += 1
            yield piece

    async def aclose(self):
        self.closed = True


@attrs.define
class Server:
    """Answers every request in the same way, and keeps the requests."""

    answer: Callable[[], httpx2.Response]
    requests: list = attrs.Factory(list)

    def __call__(self, request):
        self.requests.append(request)
        return self.answer()

    @property
    def body(self):
        return json.loads(self.requests[-1].content)

    def _http(self):
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self))

    def openai(self, base_url="https://api.openai.com/v1", **options):
        return AsyncOpenAI(api_key="sk-testtesttest", base_url=base_url, http_client=self._http(), **options)

    def anthropic(self, **options):
        return AsyncAnthropic(api_key="sk-ant-testtest", http_client=self._http(), **options)


def serve(status=200, *, json_body=None, text=None, headers=None):
    """A server with one whole answer."""
    headers = {"content-type": "application/json", **(headers or {})}
    content = text if text is not None else json.dumps(json_body)
    raw = content if isinstance(content, bytes) else content.encode()
    return Server(lambda: httpx2.Response(status, headers=headers, content=raw))


def serve_stream(*pieces, headers=None, kind="text/event-stream"):
    """A server with one streamed answer, and that answer's body."""
    body = Body(list(pieces))
    headers = {"content-type": kind, **(headers or {})}
    return Server(lambda: httpx2.Response(200, headers=headers, stream=body)), body


def serve_sse(*payloads, **options):
    """A server that streams these payloads, one event each."""
    text = "".join(f"data: {p if isinstance(p, str) else json.dumps(p)}\n\n" for p in payloads)
    return serve_stream(text.encode(), **options)


class Seen:
    """Collects deltas."""

    def __init__(self):
        self.deltas = []

    async def __call__(self, delta):
        self.deltas.append(delta)

    def joined(self):
        """Everything that was shown, as one could put it together from the deltas alone."""
        uses = {}
        for d in self.deltas:
            if isinstance(d, ToolUseDelta):
                name, arguments = uses.get(d.id, (d.name, ""))
                uses[d.id] = (name, arguments + d.arguments)
        return {
            "text": "".join(d.text for d in self.deltas if isinstance(d, TextDelta)),
            "reasoning": "".join(d.text for d in self.deltas if isinstance(d, ReasoningDelta)),
            "uses": [(name, _arguments(text)) for name, text in uses.values()],
        }


def shown(reply):
    """The same of a reply."""
    return {
        "text": reply.message.text,
        "reasoning": "".join(b.text for b in reply.message.content if isinstance(b, Reasoning)),
        "uses": [(u.name, u.malformed if u.malformed is not None else u.arguments) for u in reply.message.tool_uses],
    }


def _arguments(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def hello(**fields):
    """A call that says hello."""
    return ModelCall(**{"model": "m", "messages": (User((Text("hello"),)),), **fields})


def conversations(api):
    """Recorded conversations of one API: those in the repository, and all others that are at hand."""
    found = {}
    for path in [RECORDED / f"{api}.jsonl", SHARED / f"{api}.jsonl"]:
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                conversation = json.loads(line)
                found[conversation["name"]] = conversation
    return list(found.values())


def interactions(api, *, streamed):
    """Parameters: every recorded good answer, whole or streamed, with the name of its conversation."""
    found = [
        pytest.param(i, id=f"{c['name']}-{n}")
        for c in conversations(api)
        for n, i in enumerate(c["interactions"])
        if i["response"]["status"] == 200 and ("event-stream" in i["response"]["headers"]["content-type"]) == streamed
    ]
    if not (SHARED / f"{api}.jsonl").exists():
        found.append(pytest.param(None, marks=pytest.mark.skip(reason=f"{SHARED} is not at hand"), id="all-recorded"))
    return found


def events_of(raw):
    """The data of the events in a body, as text."""
    reader = SseReader()
    return [event.data.decode() for event in reader.feed(raw)]


def cut(raw, size):
    """Cut bytes into pieces of one size."""
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def cut_at(raw, places):
    """Cut bytes at these places, in any order and with repetitions."""
    edges = [0, *sorted(min(p, len(raw)) for p in places), len(raw)]
    return [raw[a:b] for a, b in pairwise(edges) if a < b]
