"""Which function runs which native command that reads."""

from par.tools.bash._commands.filters import EmitText
from par.tools.bash._commands.leaves import Leaf
from par.tools.bash._commands.looking import Checksum, DiskUsage, HexDump, Stat, SystemInfo, Tree, Which
from par.tools.bash._commands.reading import Find, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._commands.writing import ArchiveList
from par.tools.bash._native.archive import archive_list
from par.tools.bash._native.files import head, read_file, tail, word_count
from par.tools.bash._native.find import find
from par.tools.bash._native.listing import list_dir
from par.tools.bash._native.room import Room
from par.tools.bash._native.stat import checksum, hex_dump, stat
from par.tools.bash._native.system import emit_text, system_info, which
from par.tools.bash._native.tree import tree
from par.tools.bash._native.usage import disk_usage
from par.tools.bash._run.output import Outcome

__all__ = ["perform"]


def perform(room: Room, command: Leaf, now_s: float, stdin: int | None = None) -> Outcome:
    """Run a native command in a worker thread.

    ``now_s`` is the time that ages of files count from, ``stdin`` a descriptor that is read where a command has
    no path.
    """
    if isinstance(command, ReadFile):
        return read_file(room, command)
    if isinstance(command, Head):
        return head(room, command, stdin)
    if isinstance(command, Tail):
        return tail(room, command, stdin)
    if isinstance(command, WordCount):
        return word_count(room, command, stdin)
    if isinstance(command, EmitText):
        return emit_text(room, command)
    return _look(room, command, now_s)


def _look(room: Room, command: Leaf, now_s: float) -> Outcome:
    if isinstance(command, ListDir):
        return list_dir(room, command)
    if isinstance(command, Find):
        return find(room, command, now_s)
    if isinstance(command, Tree):
        return tree(room, command)
    if isinstance(command, DiskUsage):
        return disk_usage(room, command)
    if isinstance(command, Which):
        return which(room, command)
    if isinstance(command, SystemInfo):
        return system_info(room, command, now_s)
    return _describe(room, command)


def _describe(room: Room, command: Leaf) -> Outcome:
    if isinstance(command, Stat):
        return stat(room, command)
    if isinstance(command, Checksum):
        return checksum(room, command)
    if isinstance(command, HexDump):
        return hex_dump(room, command)
    if isinstance(command, ArchiveList):
        return archive_list(room, command)
    raise RuntimeError(f"no function runs {command.op}")
