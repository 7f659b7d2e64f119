"""What the server must know of an API: how requests are checked, answers written and errors worded."""

from collections.abc import Callable, Mapping

import attrs

from par._json import JsonObject
from par.testing._server.issued import Issued
from par.testing._server.refused import Misshapen, Refused
from par.testing._server.script import Playback
from par.testing._server.seen import ApiName
from par.testing._server.sse import ServerEvent

__all__ = ["Dialect"]


@attrs.frozen(kw_only=True)
class Dialect:
    """One API."""

    name: ApiName
    path: str
    """What the path of its requests ends with."""
    id_header: str
    key_of: Callable[[Mapping[str, str]], str | None]
    """Finds the key in the headers of a request."""
    check: Callable[[JsonObject, Mapping[str, str], Issued], None]
    """Raises ``Refused`` or ``Misshapen`` for a request that the API would not take."""
    worded: Callable[[Misshapen], Refused]
    whole: Callable[[Playback, JsonObject, Issued], JsonObject]
    """Writes an answer to a request."""
    events: Callable[[Playback, JsonObject, Issued], list[ServerEvent]]
    failure: Callable[[Refused, str], JsonObject]
    """The body of an error; the second argument is the id of the request."""
    failure_event: Callable[[Refused, str], ServerEvent]
