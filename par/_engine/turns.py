"""How a run gets the right to a turn of a durable session."""

from typing import Protocol

from par._engine.run import OpenTurn
from par._engine.session import Session

__all__ = ["Opening"]


class Opening(Protocol):
    """Gets the right to a turn."""

    async def open(self, session: Session, /) -> OpenTurn:
        """Become the owner of the session, and put what is stored of it into ``session``.

        Raises:
            SessionError: if that cannot be.
            StoreError: if the store cannot do it.
        """
        ...
