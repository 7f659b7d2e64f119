"""Embeddings of OpenAI, and of every server that has the same endpoint.

Source: https://platform.openai.com/docs/api-reference/embeddings/create
"""

import sys
from array import array as numbers
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Literal, TypeAlias, final

import attrs

from par._json import Json, JsonObject
from par.errors import UnreadableReply, UsageError
from par.providers._openai_client import AsyncOpenAI, Endpoint, from_environment
from par.providers._reading import array, count, obj, parse_body, string
from par.usage import Usage

__all__ = ["Embedded", "Embeddings", "Vector"]

Vector: TypeAlias = tuple[float, ...]

_PATH = "/embeddings"
_MAX_TEXTS = 2048
_MAX_BYTES = 300_000
"""The API takes 300,000 tokens in a request, and no text has more tokens than bytes."""
_OFFICIAL = (".openai.com", ".azure.com")


@attrs.frozen(kw_only=True)
class Embedded:
    """The vectors of some texts, in the order of the texts, and what they cost in all."""

    vectors: tuple[Vector, ...]
    usage: Usage = attrs.field(factory=Usage)
    model: str = ""
    """The model as the server names it."""


@final
class Embeddings:
    """Turns texts into vectors. ``await Embeddings("text-embedding-3-small").embed(["a", "b"])``.

    ``client`` is an ``AsyncOpenAI``, or one of the SDK's variants for other clouds; it stays the caller's to close.
    Without one, a client is made at the first call on each event loop, with ``api_key`` (default: ``OPENAI_API_KEY``)
    and the address ``base_url`` (default: ``OPENAI_BASE_URL``, else OpenAI's). ``dimensions`` (at least 1) is how long
    the vectors shall be, for models that can shorten them. ``encoding`` is how the server shall write them:
    ``base64`` is smaller and quicker to read than ``float``; by default it is asked for at OpenAI and Azure, and
    nothing is said to other servers. Both are understood, whatever was asked.

    Texts go in requests of at most ``batch_texts`` texts (1 to 2,048) and 300,000 bytes, one request after the other. The
    SDK's retries are off.

    Raises:
        UsageError: for an empty model or provider, a number out of range, and for ``base_url`` or ``api_key`` together
            with ``client``.
    """

    __slots__ = ("_batch_texts", "_dimensions", "_encoding", "_endpoint", "_model", "_provider")

    def __init__(
        self,
        model: str,
        client: AsyncOpenAI | None = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        provider: str = "openai",
        dimensions: int | None = None,
        encoding: Literal["base64", "float"] | None = None,
        batch_texts: int = _MAX_TEXTS,
    ) -> None:
        if not model.strip() or not provider.strip():
            raise UsageError("model and provider must not be empty")
        if client is not None and (base_url is not None or api_key is not None):
            raise UsageError(
                "base_url and api_key belong to the client when there is one: give them to AsyncOpenAI(...)"
            )
        if dimensions is not None and (isinstance(dimensions, bool) or dimensions < 1):
            raise UsageError(f"dimensions must be a whole number of at least 1, got {dimensions!r}")
        if isinstance(batch_texts, bool) or not 1 <= batch_texts <= _MAX_TEXTS:
            raise UsageError(f"batch_texts must be from 1 to {_MAX_TEXTS}, got {batch_texts!r}")
        if encoding not in (None, "base64", "float"):
            raise UsageError(f'encoding is "base64" or "float", not {encoding!r}')
        self._model = model
        self._provider = provider
        self._endpoint = Endpoint(provider, client, lambda: from_environment(provider, base_url, api_key))
        self._dimensions = dimensions
        self._encoding = encoding
        self._batch_texts = batch_texts

    async def embed(self, texts: Iterable[str], /) -> Embedded:
        """Return one vector for each text, in the same order. Without texts nothing is asked, and there is no checkpoint.

        Cancelling it closes the connection.

        Raises:
            UsageError: for an empty text, which the API refuses.
            TypeError: for a single text instead of several, and for what is no text.
            MissingKey: if there is no client and no key.
            ModelError: if a request failed; the class says what can be done. What was embedded before it is lost.
        """
        vectors: list[Vector] = []
        usage = Usage()
        model = ""
        for batch in self._batches(_checked(texts)):
            answer = await self._endpoint.post(_PATH, self._body(batch), stream=False)
            body = parse_body(answer.content, self._provider)
            vectors += self._read(body, len(batch))
            tokens = obj(body.get("usage"))
            usage += Usage(input_tokens=count(tokens.get("prompt_tokens") or tokens.get("total_tokens")), requests=1)
            model = model or string(body.get("model"))
        if len({len(vector) for vector in vectors}) > 1:
            raise self._unreadable("the vectors differ in length")
        return Embedded(vectors=tuple(vectors), usage=usage, model=model)

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._endpoint.aclose()

    def __repr__(self) -> str:
        return f"Embeddings({self._model!r})"

    def _batches(self, texts: Sequence[str]) -> Iterator[Sequence[str]]:
        batch: list[str] = []
        size = 0
        for text in texts:
            more = len(text.encode("utf-8", "replace"))
            if batch and (len(batch) == self._batch_texts or size + more > _MAX_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += more
        if batch:
            yield batch

    def _body(self, batch: Sequence[str]) -> JsonObject:
        body: JsonObject = {"model": self._model, "input": list(batch)}
        if self._dimensions is not None:
            body["dimensions"] = self._dimensions
        encoding = self._encoding
        if encoding is None and self._endpoint.host.endswith(_OFFICIAL):
            encoding = "base64"
        if encoding is not None:
            body["encoding_format"] = encoding
        return body

    def _read(self, body: JsonObject, asked: int) -> Iterator[Vector]:
        items = [obj(item) for item in array(body.get("data"))]
        if len(items) != asked:
            raise self._unreadable(f"{asked} texts were sent, and {len(items)} vectors came")
        if any("index" in item for item in items):
            places = [item.get("index") for item in items]
            if sorted(place if isinstance(place, int) else -1 for place in places) != list(range(asked)):
                raise self._unreadable(f"the vectors are not numbered from 0 to {asked - 1}")
            items.sort(key=lambda item: count(item.get("index")))
        for item in items:
            vector = self._vector(item.get("embedding"))
            if self._dimensions not in (None, len(vector)):
                raise self._unreadable(f"{self._dimensions} dimensions were asked for, and {len(vector)} came")
            yield vector

    def _vector(self, value: Json) -> Vector:
        if isinstance(value, list):
            vector = tuple([float(x) for x in value if isinstance(x, (int, float)) and not isinstance(x, bool)])
            if vector and len(vector) == len(value):
                return vector
        elif isinstance(value, str):
            vector = _from_base64(value)
            if vector and all(map(isfinite, vector)):
                return vector
        raise self._unreadable("an embedding is no list of numbers")

    def _unreadable(self, what: str) -> UnreadableReply:
        return UnreadableReply(what, provider=self._provider)


def _from_base64(text: str) -> Vector:
    """Read floats of four bytes, the lowest first."""
    try:
        raw = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        return ()
    if len(raw) % 4:
        return ()
    values = numbers("f", raw)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)


def _checked(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes)):
        raise TypeError("texts are several: for one, write embed([text])")
    checked = list(texts)
    for number, text in enumerate(checked):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without a checker
            raise TypeError(f"text {number} is no text: {type(text).__name__}")
        if not text:
            raise UsageError(f"text {number} is empty, and has no embedding")
    return checked
