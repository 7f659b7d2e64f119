"""Embeddings: in order, counted, in batches, whatever the server makes of it."""

import json
import struct
from base64 import b64encode

import anyio
import httpx2
import pytest
from openai import AsyncOpenAI
from unit.providers import wire

from par.errors import MissingKey, RateLimited, RequestRejected, UnreadableReply, UsageError
from par.providers.openai import Embedded, Embeddings
from par.usage import Usage

pytestmark = pytest.mark.anyio


def b64(*values):
    return b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


class Server:
    """Embeds a text as its number and length; ``change`` spoils the answer."""

    def __init__(self, change=lambda data: data, usage=None):
        self.change = change
        self.usage = usage
        self.bodies = []

    def __call__(self, request):
        body = json.loads(request.content)
        self.bodies.append(body)
        data = [{"index": n, "embedding": [float(len(text)), 0.5]} for n, text in enumerate(body["input"])]
        usage = self.usage or {"prompt_tokens": 2 * len(data), "total_tokens": 2 * len(data)}
        return httpx2.Response(200, json={"model": "e-1", "data": self.change(data), "usage": usage})


def embeddings(server, *, base_url="https://api.openai.com/v1", **options):
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(server))
    client = AsyncOpenAI(api_key="sk-testtesttest", base_url=base_url, http_client=http)
    return Embeddings("e", client, **options)


async def test_texts_become_vectors_with_their_usage():
    result = await embeddings(Server()).embed(["a", "bbb"])

    usage = Usage(input_tokens=4, requests=1)
    assert result == Embedded(vectors=((1.0, 0.5), (3.0, 0.5)), usage=usage, model="e-1")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: list(reversed(data)),
        lambda data: [{"embedding": item["embedding"]} for item in data],
        lambda data: [{**item, "embedding": b64(*item["embedding"])} for item in data],
    ],
    ids=["in another order", "without numbers", "as base64"],
)
async def test_vectors_come_in_the_order_of_the_texts(change):
    result = await embeddings(Server(change)).embed(["a", "bb", "ccc"])

    assert [vector[0] for vector in result.vectors] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data[:-1], "2 texts were sent, and 1 vectors"),
        (lambda data: [*data, data[0]], "and 3 vectors"),
        (lambda data: [data[0], data[0]], "numbered"),
        (lambda data: [data[0], {**data[1], "index": 5}], "numbered"),
        (lambda data: [data[0], {"embedding": [1.0, 2.0]}], "numbered"),
        (lambda data: [data[0], {**data[1], "embedding": [1.0]}], "length"),
        (lambda data: [data[0], {**data[1], "embedding": []}], "list of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": [1.0, "x"]}], "list of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": None}], "list of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": "$$$"}], "list of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": "AAAA"}], "list of numbers"),
        (lambda data: [data[0], {**data[1], "embedding": b64(1.0, float("nan"))}], "list of numbers"),
    ],
)
async def test_an_answer_that_does_not_fit_the_texts_is_unreadable(change, match):
    with pytest.raises(UnreadableReply, match=match):
        await embeddings(Server(change)).embed(["a", "b"])


async def test_batches_are_as_large_as_allowed_and_their_usage_adds_up():
    server = Server()

    result = await embeddings(server, batch_texts=2).embed(["a", "bb", "ccc", "dddd", "eeeee"])

    assert [body["input"] for body in server.bodies] == [["a", "bb"], ["ccc", "dddd"], ["eeeee"]]
    assert [vector[0] for vector in result.vectors] == [1, 2, 3, 4, 5]
    assert result.usage == Usage(input_tokens=10, requests=3)


async def test_a_batch_has_at_most_as_many_bytes_as_a_request_may_have_tokens():
    server = Server()
    texts = ["é" * 100_000, "b" * 100_000, "c", "d" * 400_000, "e"]

    await embeddings(server).embed(texts)

    assert [body["input"] for body in server.bodies] == [texts[:2], texts[2:3], texts[3:4], texts[4:]]


@pytest.mark.parametrize(
    ("base_url", "options", "expected"),
    [
        ("https://api.openai.com/v1", {}, {"encoding_format": "base64"}),
        ("https://other.example/v1", {}, {}),
        ("https://other.example/v1", {"encoding": "base64"}, {"encoding_format": "base64"}),
        ("https://api.openai.com/v1", {"encoding": "float"}, {"encoding_format": "float"}),
        ("https://other.example/v1", {"dimensions": 2}, {"dimensions": 2}),
    ],
)
async def test_each_option_reaches_the_request(base_url, options, expected):
    server = Server()

    await embeddings(server, base_url=base_url, **options).embed(["a"])

    assert server.bodies == [{"model": "e", "input": ["a"], **expected}]


async def test_vectors_of_another_length_than_asked_are_unreadable():
    with pytest.raises(UnreadableReply, match="3 dimensions were asked for, and 2 came"):
        await embeddings(Server(), dimensions=3).embed(["a"])


async def test_without_texts_nothing_is_asked():
    server = Server()

    assert await embeddings(server).embed([]) == Embedded(vectors=())
    assert not server.bodies


@pytest.mark.parametrize(
    ("texts", "error"), [("text", TypeError), (b"text", TypeError), ([1], TypeError), (["a", ""], UsageError)]
)
async def test_what_is_no_list_of_texts_is_refused(texts, error):
    with pytest.raises(error):
        await embeddings(Server()).embed(texts)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (400, RequestRejected)])
async def test_a_refusal_is_the_error_that_fits(status, error):
    server = wire.serve(status, json_body={"error": {"message": "no"}}, headers={"retry-after": "2"})

    with pytest.raises(error, match="no"):
        await Embeddings("e", server.openai()).embed(["a"])


async def test_usage_may_stand_in_the_total_alone():
    assert (await embeddings(Server(usage={"total_tokens": 9})).embed(["a"])).usage.input_tokens == 9


async def test_cancelling_ends_the_request():
    ended = []

    async def server(request):
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(request)

    with anyio.move_on_after(0.01) as scope:
        await embeddings(server).embed(["a"])

    assert scope.cancelled_caught
    assert len(ended) == 1


async def test_a_client_is_made_from_the_environment_and_closed(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    model = Embeddings("e", base_url="https://e.example/v1")
    client = model._endpoint._client()

    await model.aclose()

    assert str(client.base_url) == "https://e.example/v1/"
    assert client.is_closed()


async def test_without_a_key_it_says_which(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        await Embeddings("e").embed(["a"])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (" ", {}),
        ("e", {"provider": ""}),
        ("e", {"dimensions": 0}),
        ("e", {"dimensions": True}),
        ("e", {"batch_texts": 0}),
        ("e", {"batch_texts": 2049}),
        ("e", {"encoding": "hex"}),
        ("e", {"client": AsyncOpenAI(api_key="k"), "base_url": "https://a"}),
        ("e", {"client": AsyncOpenAI(api_key="k"), "api_key": "k"}),
    ],
)
def test_impossible_options_are_refused(model, options):
    with pytest.raises(UsageError):
        Embeddings(model, **options)
