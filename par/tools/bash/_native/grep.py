"""grep: we choose and open the files, the system's grep matches, in a process that can be ended.

Matching in this process would hand a hostile pattern the agent's own time. Files go over as descriptors, so
that grep never opens a name: links, races and leading dashes do not exist for it.
"""

import os
import re
import stat
import sys
from collections.abc import Generator, Iterable
from contextlib import closing
from functools import partial

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.reading import Grep
from par.tools.bash._git.prefix import CLEAN_ENV
from par.tools.bash._native.flow import Sink
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.linked import LinkedNames
from par.tools.bash._native.match import Ignore, ignored, matches, read_ignore
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import Entry, walk
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program
from par.tools.bash._run.runner import Exited, Job, Launcher, run_process
from par.tools.bash._run.verify import verify

__all__ = ["grep", "grep_argv", "to_extended"]

_BATCH = 128
_MAX_FILE = 64 * 1024 * 1024
_DATA_LIMIT = 512 * 1024 * 1024
_MORE = 4 * 1024 * 1024
"""Bytes of a batch that are read beyond what is shown: not all of a record is."""
_FD = "/proc/self/fd/" if sys.platform.startswith("linux") else "/dev/fd/"
_RECORD = re.compile(rb"/(?:proc/self|dev)/fd/([0-9]+)\x00(?:([0-9]+)([:-]))?")
_OUTPUTS = {
    "lines": ("--line-number",),
    "only_matching": ("--line-number", "--only-matching"),
    "files": ("--files-with-matches",),
    "files_without": ("--files-without-match",),
    "count": ("--count",),
}


@attrs.define
class _Skipped:
    denied: int = 0
    large: int = 0
    unreadable: int = 0

    def notes(self) -> tuple[str, ...]:
        words = (
            (self.denied, "kept from being read by the policy"),
            (self.large, f"larger than {_MAX_FILE} bytes"),
            (self.unreadable, "not readable"),
        )
        return tuple(f"Not searched: {count} files, {why}." for count, why in words if count)


def to_extended(pattern: str) -> str:
    r"""Return ``pattern`` as an extended regular expression of POSIX; ``\d`` and ``\D`` are spelled out.

    Raises:
        CommandRefused: with the code ``bad_pattern`` for what takes unbounded time or does not exist there.
    """
    if "(?" in pattern.replace("\\(", ""):
        raise _bad("(?...) is not known here.", "Use plain groups (...), and ignore_case for (?i).")
    out: list[str] = []
    at = 0
    bracket = False
    while at < len(pattern):
        char = pattern[at]
        pair = pattern[at : at + 2]
        if bracket:
            if char == "\\" and pair[1:] in {"d", "w", "s", "D", "W", "S"}:
                raise _bad(f"{pair} inside [...] is not known here.", "Write 0-9, or [:alnum:]_ or [:space:].")
            bracket = char != "]" or pattern[at - 1] == "[" or pattern[at - 2 : at] == "[^"
            out.append(char)
        elif char == "\\" and len(pair) == 2:
            if pair[1] in "123456789":
                raise _bad(f"the back-reference {pair} is not allowed: it can take unbounded time.", "Search for less.")
            out.append({"\\d": "[0-9]", "\\D": "[^0-9]", "\\t": "\t"}.get(pair, pair))
            at += 1
        else:
            bracket = char == "["
            out.append(char)
        at += 1
    return "".join(out)


def _bad(problem: str, remedy: str) -> CommandRefused:
    return CommandRefused("bad_pattern", problem, field="pattern", remedy=remedy)


def grep_argv(program: str, command: Grep, fds: Iterable[int]) -> tuple[str, ...]:
    """Return the argv for files that are open as ``fds``; the second form of each option is never needed."""
    fixed = command.syntax == "fixed"
    before = command.context if command.before is None else command.before
    after = command.context if command.after is None else command.after
    options = (
        (True, "--fixed-strings" if fixed else "--extended-regexp"),
        (command.ignore_case, "--ignore-case"),
        (command.whole_word, "--word-regexp"),
        (command.invert, "--invert-match"),
        (before is not None, f"--before-context={before}"),
        (after is not None, f"--after-context={after}"),
        (command.max_count is not None, f"--max-count={command.max_count}"),
        (True, f"--regexp={command.pattern if fixed else to_extended(command.pattern)}"),
    )
    common = ("--color=never", "--binary-files=without-match", "--with-filename", "--null", "--no-messages")
    chosen = [token for wanted, token in options if wanted]
    return (program, *common, *_OUTPUTS[command.output], *chosen, "--", *(f"{_FD}{fd}" for fd in fds))


async def grep(room: Room, command: Grep, launcher: Launcher) -> Outcome:
    """Search the files that the command names, in batches, until there is enough to show."""
    program = find_program("grep", room.policy)
    grep_argv(program, command, ())  # a pattern that cannot be used is refused before anything is opened
    kept = room.lines()
    skipped = _Skipped()
    argvs: list[tuple[str, ...]] = []
    errors: list[Exited] = []
    with room.workspace.root() as root, closing(_batches(room, command, skipped)) as batches:
        while not kept.full and (batch := await in_thread(partial(next, batches, None))):
            argv = grep_argv(program, command, batch)
            verify(argv, program=program)
            argvs.append(argv)
            ended = await run_process(_job(room, argv, tuple(batch), root), launcher)
            if ended.exit_code not in {0, 1} and not ended.flooded:
                errors.append(ended)
                break
            await in_thread(partial(_collect, ended.stdout.head, batch, command, kept))
            if ended.flooded:
                kept.full = True
    notes = list(skipped.notes())
    if kept.full:
        notes.append(
            f"There is more than the {kept.count} lines shown: narrow the search with paths, include or output."
        )
    elif not kept.count and not errors:
        notes.append("Nothing was found.")
    last = errors[0] if errors else None
    return Outcome(
        stdout=kept.captured(),
        stderr=last.stderr if last else Outcome().stderr,
        exit_code=last.exit_code if last else (0 if kept.count else 1),
        signal=last.signal if last else None,
        notes=tuple(notes),
        argv=tuple(argvs[:4]),
    )


def _job(room: Room, argv: tuple[str, ...], fds: tuple[int, ...], root: int) -> Job:
    return Job(
        argv=argv,
        folder=root,
        env=dict(CLEAN_ENV),
        cpu_s=room.policy.cpu_s,
        max_bytes=room.policy.max_output_bytes + min(7 * room.policy.max_output_bytes, _MORE),
        max_lines=2**60,  # records are counted after they got their names
        pass_fds=fds,
        drain=0,
        data_limit=_DATA_LIMIT,
    )


def _collect(data: bytes, batch: dict[int, str], command: Grep, kept: Sink) -> None:
    """Put the names of the files in the place of their descriptors."""
    if command.output in {"files", "files_without"}:
        for file in _RECORD.finditer(data):
            if not kept.add(_named(batch, file) + b"\n"):
                return
        return
    for line in data.split(b"\n"):
        record = _RECORD.match(line)
        if record is None:
            if line == b"--" and not kept.add(b"--\n"):
                return
            continue
        text = line[record.end() :]
        if command.output == "count":
            shown = b"%s:%s\n" % (_named(batch, record), text) if text != b"0" else b""
        else:
            mark = record[3] or b":"
            shown = b"%s%s%s%s%s\n" % (_named(batch, record), mark, record[2] or b"", mark, text)
        if shown and not kept.add(shown):
            return


def _named(batch: dict[int, str], record: re.Match[bytes]) -> bytes:
    return escape_name(batch.get(int(record[1]), "?")).encode()


def _batches(room: Room, command: Grep, skipped: _Skipped) -> Generator[dict[int, str], None, None]:
    """Yield open files by descriptor, at most 128 at once; they are closed when the next ones are asked for."""
    batch: dict[int, str] = {}
    try:
        for fd, path in _files(room, command, skipped):
            batch[fd] = path
            if len(batch) >= _BATCH:
                yield batch
                _close(batch)
        if batch:
            yield batch
    finally:
        _close(batch)


def _close(batch: dict[int, str]) -> None:
    while batch:
        os.close(batch.popitem()[0])


def _files(room: Room, command: Grep, skipped: _Skipped) -> Generator[tuple[int, str], None, None]:
    for number, start in enumerate(command.paths):
        try:
            with room.workspace.open_any(start) as opened:
                plain = "/".join(part for part in start.split("/") if part not in {"", "."}) or "."
                if not stat.S_ISDIR(opened.facts.st_mode):
                    if not stat.S_ISREG(opened.facts.st_mode):
                        raise CommandRefused(
                            "not_regular_file", f"{start!a} is neither a file nor a folder.", field=f"paths[{number}]"
                        )
                    room.allow_reading(opened, f"paths[{number}]")
                    yield os.dup(opened.fd), plain
                    continue
                yield from _below(room, command, skipped, opened.fd, plain, opened.name)
        except OSError as error:
            refuse_os_error(error, start, f"paths[{number}]")


def _below(
    room: Room, command: Grep, skipped: _Skipped, fd: int, plain: str, real: str
) -> Generator[tuple[int, str], None, None]:
    linked = room.linked()
    rules = [] if command.no_ignore else _rules_above(room, plain)

    def skips(entry: Entry) -> bool:
        name_hidden = entry.name.startswith(".") and not command.hidden
        folder = entry.what == "dir"
        return name_hidden or _excluded(command, entry.path) or ignored(rules, entry.path, is_dir=folder)

    def enters(folder: Entry) -> bool:
        if folder.name == ".git" or skips(folder):
            return False
        if not command.no_ignore:
            found = _ignore_in(folder)
            if found is not None:
                rules.append(found)
        return True

    with closing(walk(fd, plain, depth=64, enter=enters)) as entries:
        for entry in entries:
            if entry.what != "file" or skips(entry) or not _included(command, entry.path):
                continue
            # a link in the operand may hide the real name of the folder
            true_name = entry.path if plain == real else f"{real}/{entry.path[len(plain) + 1 :]}"
            if room.policy.denies_reading(true_name) or (plain != real and room.policy.denies_reading(entry.path)):
                skipped.denied += 1
                continue
            file = _open(entry, skipped, linked)
            if file is not None:
                yield file, entry.path


def _open(entry: Entry, skipped: _Skipped, linked: LinkedNames) -> int | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(entry.name, flags, dir_fd=entry.parent)
    except OSError:
        skipped.unreadable += 1
        return None
    facts = os.fstat(fd)
    denied = linked.denied(facts)
    if stat.S_ISREG(facts.st_mode) and facts.st_size <= _MAX_FILE and not denied:
        return fd
    if denied:
        skipped.denied += 1
    else:
        skipped.large += 1
    os.close(fd)
    return None


def _excluded(command: Grep, path: str) -> bool:
    return any(matches(pattern, path) for pattern in command.exclude or ())


def _included(command: Grep, path: str) -> bool:
    return not command.include or any(matches(pattern, path) for pattern in command.include)


def _rules_above(room: Room, path: str) -> list[Ignore]:
    """Read the .gitignore of the folder and of those above it, the outermost first."""
    parts = [] if path == "." else path.split("/")
    found: list[Ignore] = []
    for count in range(len(parts) + 1):
        folder = "/".join(parts[:count]) or "."
        try:
            with room.workspace.open_folder(folder) as opened:
                rules = read_ignore(opened.fd, folder)
        except OSError:
            continue
        if rules is not None:
            found.append(rules)
    return found


def _ignore_in(folder: Entry) -> Ignore | None:
    try:
        fd = os.open(folder.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder.parent)
    except OSError:
        return None
    try:
        return read_ignore(fd, folder.path)
    finally:
        os.close(fd)
