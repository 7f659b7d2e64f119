"""which, system_info and emit_text: what needs no file."""

import os
import platform
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from par.errors import CommandRefused
from par.tools.bash._commands.filters import EmitText
from par.tools.bash._commands.leaves import LEAVES
from par.tools.bash._commands.looking import SystemInfo, Which
from par.tools.bash._git.prefix import GIT_ENV
from par.tools.bash._native.filters import Planned, run_planned
from par.tools.bash._native.listing import shown_time
from par.tools.bash._native.room import Room
from par.tools.bash._policy.policy import Policy
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program, trusted
from par.tools.bash._run.verify import verify
from par.tools.bash._run.work import Work

__all__ = ["emit_text", "git_version", "system_info", "which"]

_USES: Final = MappingProxyType({
    "git": tuple(op for op in LEAVES if op.startswith("git_")),
    "grep": ("grep", "grep_filter"),
    "sort": ("sort",),
    "uniq": ("uniq",),
    "cut": ("cut",),
    "tr": ("translate",),
    "diff": ("diff",),
    "jq": ("json_query",),
    "file": ("file_type",),
})
_NATIVE: Final = MappingProxyType({
    "ls": ("list_dir",),
    "cat": ("read_file",),
    "head": ("head",),
    "tail": ("tail",),
    "wc": ("word_count",),
    "find": ("find",),
    "tree": ("tree",),
    "stat": ("stat",),
    "du": ("disk_usage",),
    "rg": ("grep",),
    "echo": ("emit_text",),
    "xxd": ("hex_dump",),
    "hexdump": ("hex_dump",),
    "od": ("hex_dump",),
    "sha256sum": ("checksum",),
    "sha512sum": ("checksum",),
    "sha1sum": ("checksum",),
    "md5sum": ("checksum",),
    "mkdir": ("make_dir",),
    "touch": ("touch",),
    "cp": ("copy",),
    "mv": ("move",),
    "rm": ("remove",),
    "tar": ("archive_list", "archive_extract"),
    "unzip": ("archive_list", "archive_extract"),
})


def which(room: Room, command: Which) -> Outcome:
    """Say what a program is good for here. Only tables are looked at, and no place on the host is told."""
    name = command.program
    allowed: set[str] = {kind.op for kind in room.policy.allow}
    uses = [*_uses(room.policy, name, allowed)]
    instead = [op for op in _NATIVE.get(name, ()) if op in allowed]
    if uses:
        text = f"{name}: usable, by {', '.join(uses)}"
    elif instead:
        text = f"{name}: not needed, use {', '.join(instead)}"
    elif trusted(name) is not None:
        text = f"{name}: it is on this machine, but no command that is allowed runs it"
    else:
        text = f"{name}: not usable here"
    kept = room.lines()
    kept.add(f"{text}\n".encode())
    return Outcome(stdout=kept.captured())


def _uses(policy: Policy, name: str, allowed: set[str]) -> Iterator[str]:
    if name in _USES and _is_there(policy, name):
        yield from (op for op in _USES[name] if op in allowed)
    for op, entries in (("run_tests", policy.runners), ("run_linter", policy.linters), ("run_task", policy.tasks)):
        for entry in entries if op in allowed else ():
            if name in {entry.name, entry.argv[0].rsplit("/", 1)[-1]}:
                yield f"{op} as {entry.name}"
    python = policy.python
    if (
        python is not None
        and "run_python" in allowed
        and name in {"python", "python3", python.python.rsplit("/", 1)[-1]}
    ):
        yield "run_python"


def _is_there(policy: Policy, name: str) -> bool:
    try:
        find_program(name, policy)
    except CommandRefused:
        return False
    return True


def system_info(room: Room, command: SystemInfo, now_s: float) -> Outcome:
    """Tell one fact; ``now_s`` is the time in seconds since 1970."""
    kept = room.lines()
    kept.add(f"{_fact(command, now_s)}\n".encode())
    return Outcome(stdout=kept.captured())


def _fact(command: SystemInfo, now_s: float) -> str:
    if command.what == "os":
        return f"{os.uname().sysname} {os.uname().release}"
    if command.what == "arch":
        return os.uname().machine
    if command.what == "python_version":
        return platform.python_version()
    if command.what == "cpu_count":
        return str(_cpus())
    # the folder's own name says where things are on the host, and a command never needs it
    return shown_time(now_s) if command.what == "date" else "."


def _cpus() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def emit_text(room: Room, command: EmitText) -> Outcome:
    """Give out a text as it stands."""
    kept = room.lines()
    for line in command.text.encode().splitlines(keepends=True):
        if not kept.add(line):
            break
    return Outcome(stdout=kept.captured())


async def git_version(work: Work) -> Outcome:
    """Ask git for its version.

    Raises:
        CommandRefused: ``program_missing``.
    """
    program = find_program("git", work.room.policy)
    planned = Planned(argv=(program, "--version"))
    verify(planned.argv, program=program, rules="git")
    ended = await run_planned(work, planned, env=dict(GIT_ENV))
    return Outcome(
        stdout=ended.stdout, stderr=ended.stderr, exit_code=ended.exit_code, signal=ended.signal, argv=(planned.argv,)
    )
