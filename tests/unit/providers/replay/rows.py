"""The recorded conversations, one request and its answer at a time, and servers that answer as they did.

``../shared/data/wire/<api>.jsonl`` holds a conversation in each line. Where the folder is not at hand, the
parameters are one that skips.
"""

import json
from itertools import pairwise
from random import Random

import attrs
import httpx2
import pytest
from unit.providers import wire

SEEDS = (1, 2, 3)
_STREAM = "text/event-stream"


@attrs.frozen(kw_only=True)
class Row:
    """One request with its answer. ``json`` is the answer's body where it was JSON, else ``text`` is."""

    conversation: str
    number: int
    url: str
    request: dict
    status: int
    headers: dict
    json: object = None
    text: str | None = None
    following: dict | None = None
    """The next request of the same conversation, if there was one."""

    @property
    def id(self):
        return f"{self.conversation}-{self.number}"

    @property
    def host(self):
        return httpx2.URL(self.url).host

    @property
    def streamed(self):
        return _STREAM in self.headers.get("content-type", "")

    @property
    def raw(self):
        """The bytes of the answer."""
        return json.dumps(self.json).encode() if self.text is None else self.text.encode()

    def events(self):
        """The JSON of each event of a streamed answer."""
        return [json.loads(data) for data in wire.events_of(self.raw) if data != "[DONE]"]

    def server(self, seed=None):
        """Return a server that answers so: in one piece, or cut at the random places of a seed."""
        pieces = [self.raw] if seed is None else cut_randomly(self.raw, seed)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_TRANSPORT}
        return wire.Server(lambda: httpx2.Response(self.status, headers=headers, stream=wire.Body(list(pieces))))


_OF_THE_TRANSPORT = {"content-length", "content-encoding", "transfer-encoding"}


def cut_randomly(raw, seed, most=40):
    """Cut bytes at up to ``most`` places, within lines and characters too; the same for the same seed."""
    random = Random(seed)
    places = sorted(random.randrange(len(raw) + 1) for _ in range(random.randint(1, most)))
    return [raw[a:b] for a, b in pairwise([0, *places, len(raw)]) if a < b]


def rows(api):
    """Return every recorded request of an API (``openai-chat``, ``openai-responses``, ``anthropic-messages``)."""
    path = wire.SHARED / f"{api}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    found = []
    for line in lines:
        conversation = json.loads(line)
        interactions = conversation["interactions"]
        for number, interaction in enumerate(interactions):
            response = interaction["response"]
            later = interactions[number + 1 : number + 2]
            found.append(
                Row(
                    conversation=conversation["name"],
                    number=number,
                    url=interaction["request"]["uri"],
                    request=interaction["request"]["json"],
                    status=response["status"],
                    headers=response["headers"],
                    json=response.get("json"),
                    text=response.get("text"),
                    following=later[0]["request"]["json"] if later else None,
                )
            )
    return found


def parameters(api, keep=lambda _: True, except_=()):
    """Return a parameter for each row that ``keep`` keeps; those in ``except_``, by id, are left out."""
    if not (wire.SHARED / f"{api}.jsonl").exists():
        skip = pytest.mark.skip(reason=f"the recordings of {api} are not at hand")
        return [pytest.param(None, marks=skip, id="recordings")]
    return [pytest.param(row, id=row.id) for row in rows(api) if row.id not in except_ and keep(row)]
