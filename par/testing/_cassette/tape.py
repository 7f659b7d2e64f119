"""A cassette in use: it answers requests, or writes down how they were answered."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

import attrs

from par.errors import MissingExtra
from par.testing._cassette.difference import not_recorded
from par.testing._cassette.errors import RequestNotRecorded
from par.testing._cassette.file import read_tape, write_tape
from par.testing._cassette.interaction import Answer, Asked, Interaction, asked, cut, said
from par.testing._cassette.secrets import Redactor

if TYPE_CHECKING:
    import httpx2

__all__ = ["Cassette", "cassette"]


@final
class Cassette:
    """A tape in use; ``cassette`` opens it. It belongs to one event loop at a time."""

    def __init__(
        self,
        recorded: Sequence[Interaction],
        redactor: Redactor,
        *,
        replays: bool,
        cuts: Sequence[int] | None = None,
    ) -> None:
        self._replays = replays
        self._cuts = cuts
        self._recorded = list(recorded)
        self._used: set[int] = set()
        self._missed: list[RequestNotRecorded] = []
        self._redactor = redactor

    @property
    def replays(self) -> bool:
        """Whether requests are answered from the tape; otherwise they go out and are recorded."""
        return self._replays

    @property
    def interactions(self) -> int:
        """How many requests are on the tape."""
        return len(self._recorded)

    @property
    def missed(self) -> tuple[RequestNotRecorded, ...]:
        """The requests that were not on the tape."""
        return tuple(self._missed)

    def unused(self) -> tuple[str, ...]:
        """Name the requests on the tape that nobody has made."""
        return tuple(
            f"number {number}, {each.asked.method} {each.asked.url}"
            for number, each in enumerate(self._recorded)
            if self._replays and number not in self._used
        )

    def client(self, inner: "httpx2.AsyncBaseTransport | None" = None) -> "httpx2.AsyncClient":
        """Return a client for ``AsyncOpenAI(http_client=...)`` or ``AsyncAnthropic(http_client=...)``.

        The SDK closes it. ``inner`` is what requests go out through when they are recorded.

        Raises:
            MissingExtra: if neither SDK is installed.
        """
        try:
            import httpx2  # noqa: PLC0415 # it comes with the SDKs, and who has none has no use for it

            from par.testing._cassette.transport import TapeTransport  # noqa: PLC0415 # it needs httpx2
        except ModuleNotFoundError as error:
            raise MissingExtra(extra="openai", module="httpx2") from error
        return httpx2.AsyncClient(transport=TapeTransport(self, inner), trust_env=False)

    def ask(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Asked:
        """Return a request as it is kept, without the secrets that it carries."""
        self._redactor.learn(headers)
        return asked(method, url, body, self._redactor)

    def play(self, wanted: Asked) -> Answer:
        """Return the recorded answer to a request; equal requests get theirs one after the other.

        Raises:
            RequestNotRecorded: if there is none, or no further one.
        """
        for number, each in enumerate(self._recorded):
            if number not in self._used and each.asked.key == wanted.key:
                self._used.add(number)
                if self._cuts is None:
                    return each.answer
                return attrs.evolve(each.answer, chunks=cut(b"".join(each.answer.chunks), self._cuts))
        missed = not_recorded(wanted, [each.asked for each in self._recorded])
        self._missed.append(missed)
        raise missed

    def begin(self, wanted: Asked) -> int:
        """Keep a place for an answer that is on its way, so that the tape is in the order of the requests."""
        self._recorded.append(Interaction(asked=wanted, answer=Answer(status=0, headers={}, chunks=(), whole=False)))
        return len(self._recorded) - 1

    def keep(self, place: int, answer: Answer, headers: Sequence[tuple[str, str]]) -> None:
        """Record the answer."""
        self._redactor.learn(headers)
        kept = Answer(
            status=answer.status,
            headers=self._redactor.headers(answer.headers),
            chunks=answer.chunks,
            whole=answer.whole,
        )
        self._recorded[place] = Interaction(asked=self._recorded[place].asked, answer=kept)

    def answered(self) -> list[Interaction]:
        """Return what was answered, without secrets, those that only later answers have told of too."""
        return [
            Interaction(asked=each.asked, answer=said(each.answer, self._redactor))
            for each in self._recorded
            if each.answer.status
        ]


@contextmanager
def cassette(
    path: str | PathLike[str],
    mode: Literal["replay", "record", "auto"] = "replay",
    *,
    secrets: Sequence[str] = (),
    cuts: Sequence[int] | None = None,
) -> Generator[Cassette]:
    """Replay recorded HTTP traffic to the clients of the SDKs, or record it.

    ::

        with cassette("tests/tapes/weather.json") as tape:
            client = AsyncOpenAI(api_key="none", http_client=tape.client())

    ``"replay"`` makes no connection at all. ``"record"`` makes the requests and writes the file at the end of the block,
    over what was there; if the block raises, the file is left as it was. ``"auto"`` replays where the file is there, and
    records where it is not.

    A request is found by its method, its address and its JSON body, whatever the order of the fields. Equal requests
    are answered in the order in which they were recorded. Streams are replayed in the pieces in which they came, or cut
    into pieces at ``cuts``, counted in bytes from the beginning of each body.
    Secrets are taken out of what is written and out of what is compared: keys and cookies in headers wherever else they
    stand, whatever looks like a key or the id of an organisation, fields and parameters with names such as
    ``api_key``, and the ``secrets`` of the caller. Of the headers only those of answers that say type, limits and
    the id of the request are written.

    Raises:
        CassetteMissing: in replay, if there is no file.
        CassetteUnreadable: if the file is no cassette.
        RequestNotRecorded: where such a request is made, and again at the end of the block, because clients may turn the
            first into an error of their own.
        ValueError: for another mode.
    """
    if mode not in ("replay", "record", "auto"):
        raise ValueError(f'mode is "replay", "record" or "auto", not {mode!r}')
    place = Path(path)
    replays = mode == "replay" or (mode == "auto" and place.exists())
    tape = Cassette(read_tape(place) if replays else (), Redactor(secrets), replays=replays, cuts=cuts)
    try:
        yield tape
    except Exception as error:
        if tape.missed and error is not tape.missed[0]:
            raise tape.missed[0] from error
        raise
    if tape.missed:
        raise tape.missed[0]
    if not replays:
        write_tape(place, tape.answered())
