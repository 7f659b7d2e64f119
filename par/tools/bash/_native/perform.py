"""Which function runs which native command that reads."""

from typing import cast

from par.errors import CommandRefused
from par.tools.bash._commands.leaves import Leaf
from par.tools.bash._commands.reading import Find, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._native.files import head, read_file, tail, word_count
from par.tools.bash._native.find import find
from par.tools.bash._native.listing import list_dir
from par.tools.bash._native.room import Room
from par.tools.bash._run.output import Outcome

__all__ = ["perform"]


def perform(room: Room, command: Leaf, now_s: float) -> Outcome:
    """Run a native command in a worker thread; ``now_s`` is the time that ages of files count from."""
    if isinstance(command, ListDir):
        return list_dir(room, command)
    if isinstance(command, ReadFile):
        return read_file(room, command)
    if isinstance(command, Head):
        return head(room, command)
    if isinstance(command, Tail):
        return tail(room, command)
    if isinstance(command, WordCount):
        return word_count(room, command)
    if isinstance(command, Find):
        return find(room, command, now_s)
    raise CommandRefused("unavailable", f"{cast('str', command.op)} is not here yet.")
