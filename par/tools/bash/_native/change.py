"""Which function runs which command that changes files."""

from par.tools.bash._commands.leaves import Write
from par.tools.bash._commands.writing import Copy, MakeDir, Move, Remove, SetExecutable, Touch, WriteFile
from par.tools.bash._native.archive import archive_extract
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_copy import copy
from par.tools.bash._native.write_file import make_dir, make_executable, touch_file, write_file
from par.tools.bash._native.write_move import move, remove
from par.tools.bash._run.output import Outcome

__all__ = ["change"]


def change(room: Room, command: Write) -> Outcome:
    """Run a command that changes files, in a worker thread; the outcome's notes say what was written.

    Nothing half-done is left behind when it fails or is cancelled.

    Raises:
        CommandRefused: why it cannot be done.
    """
    if isinstance(command, MakeDir):
        return make_dir(room, command)
    if isinstance(command, Touch):
        return touch_file(room, command)
    if isinstance(command, WriteFile):
        return write_file(room, command)
    if isinstance(command, SetExecutable):
        return make_executable(room, command)
    if isinstance(command, Copy):
        return copy(room, command)
    if isinstance(command, Move):
        return move(room, command)
    if isinstance(command, Remove):
        return remove(room, command)
    return archive_extract(room, command)
