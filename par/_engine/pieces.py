"""An answer that comes in pieces: paused by the provider, or cut by the length limit, and gone on with."""

from typing import final

from par.calls import ModelReply
from par.messages import Assistant, AssistantBlock, Text

__all__ = ["Pieces", "is_unfinished"]


def is_unfinished(reply: ModelReply) -> bool:
    """Tell whether an answer goes on when the model is asked again; one that asks for tools does not."""
    return reply.finish in ("paused", "length") and not reply.message.tool_uses


@final
class Pieces:
    """What was said so far of one answer. Text that was cut and the text that goes on are one block."""

    def __init__(self) -> None:
        self._said: list[AssistantBlock] = []
        self._at_a_cut = False
        self.count = 0
        """How many pieces there are."""

    @property
    def message(self) -> Assistant:
        """All that was said."""
        return Assistant(tuple(self._said))

    def add(self, reply: ModelReply) -> None:
        """Add a piece that goes on: of one that was paused everything, of one that was cut the text."""
        paused = reply.finish == "paused"
        self._join(reply.message.content if paused else (Text(reply.message.text),))
        self._at_a_cut = not paused
        self.count += 1

    def finished(self, reply: ModelReply) -> Assistant:
        """Return the whole answer, of which the reply is the last piece, or all."""
        if not self.count:
            return reply.message
        self._join(reply.message.content)
        return self.message

    def _join(self, more: tuple[AssistantBlock, ...]) -> None:
        last = self._said[-1] if self._said else None
        if self._at_a_cut and isinstance(last, Text):
            self._said[-1] = Text(last.text + "".join([block.text for block in more if isinstance(block, Text)]))
            more = tuple([block for block in more if not isinstance(block, Text)])
        self._said.extend(more)
