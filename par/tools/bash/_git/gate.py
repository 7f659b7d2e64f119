"""Whether git may be run in a repository: its configuration and its layout must be harmless.

Git runs programs that a repository's configuration names, some of them on ``status`` and ``diff``, and options
cannot switch all of them off (filters have names of their own). So every key must be on a list of harmless ones.
"""

import os
import re
import stat
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias, final

import anyio
import anyio.lowlevel
import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._run.clean import escape_name

__all__ = ["Entries", "GitGate", "Repository", "check_config", "layout_refused", "open_repository"]

_MAX_CONFIG = 256 * 1024
_FLAT = frozenset([
    "core.filemode",
    "core.logallrefupdates",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.autocrlf",
    "core.eol",
    "core.symlinks",
    "core.longpaths",
    "core.untrackedcache",
    "core.abbrev",
    "core.safecrlf",
    "core.compression",
    "core.bigfilethreshold",
    "user.name",
    "user.email",
    "init.defaultbranch",
    "pull.rebase",
    "pull.ff",
    "fetch.prune",
    "push.default",
    "push.autosetupremote",
    "gc.auto",
    "commit.gpgsign",
    "tag.gpgsign",
    "lfs.repositoryformatversion",
    "extensions.objectformat",
    "extensions.worktreeconfig",
    "extensions.refstorage",
    "rerere.enabled",
    "merge.conflictstyle",
])
_NAMED = re.compile(
    r"remote\..*\.(?:url|fetch|pushurl|tagopt|prune|gh-resolved)"
    r"|branch\..*\.(?:remote|merge|rebase|pushremote|description|vscode-merge-base|gh-merge-base)"
    r"|submodule\..*\.(?:url|active)",
    re.DOTALL,
)
# a link in these would let git read another repository, or write there
_FOLDERS = ("objects", "info", "refs", "logs", "worktrees")
_MAX_NAMES: Final = 200_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ELSEWHERE = ("commondir", "objects/info/alternates", "objects/info/http-alternates")
# what git reads last counts, and the second file would be read from where others can change it
_OWN: Final = b"\n\n[extensions]\n\tworktreeConfig = false\n"
_NO_REPOSITORY = "Give a folder that is in one in cwd, or ask the user to make one."
_ADVICE = "The git commands are off in this repository until the user has changed that."


Entries: TypeAlias = tuple[tuple[str, str], ...]
"""Keys of a configuration with their values, in order."""


@attrs.frozen(kw_only=True)
class Repository:
    """A repository inside the workspace: its folder and its ``.git``, held open, and its name there."""

    fd: int
    git_fd: int
    folder: str
    """Relative to the workspace, ``.`` for the workspace itself."""
    cwd: str
    """The real name of the folder that the command named, relative to the workspace."""
    config: bytes
    """What git will read as this repository's configuration: these bytes, whatever the files say by then."""


@final
class GitGate:
    """Remembers the configuration that was found harmless last, byte for byte, and lets one command write at a time.

    The files are read anew for each command; only the parsing by git is saved.
    """

    def __init__(self) -> None:
        self._passed: tuple[bytes, Entries] | None = None
        # locks belong to an event loop, and a gate may outlive one
        self._turns = anyio.lowlevel.RunVar[anyio.Lock]("par.tools.bash.git")

    def entries(self, config: bytes) -> Entries | None:
        """Return what stands in exactly this configuration, if it was found harmless."""
        return self._passed[1] if self._passed is not None and self._passed[0] == config else None

    def passed(self, config: bytes, entries: Entries) -> None:
        """Remember it."""
        self._passed = (config, entries)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until no other command of this event loop writes, and keep others out for the time of the block."""
        lock = self._turns.get(None)
        if lock is None:
            lock = anyio.Lock()
            self._turns.set(lock)
        async with lock:
            yield


@contextmanager
def open_repository(room: Room, cwd: str | None) -> Generator[Repository, None, None]:
    """Open the nearest repository at or above ``cwd``, not above the workspace, and check its layout.

    Raises:
        CommandRefused: ``no_repository``, ``repo_layout_refused``, or why ``cwd`` cannot be used.
    """
    try:
        with room.workspace.open_folder(cwd or ".") as start:
            parts = [] if start.name == "." else start.name.split("/")
        for count in range(len(parts), -1, -1):
            name = "/".join(parts[:count]) or "."
            with room.workspace.open_folder(name) as folder:
                if _is_repository(folder):
                    with _checked(folder, cwd=start.name) as repository:
                        yield repository
                    return
    except OSError as error:
        refuse_os_error(error, cwd or ".", "cwd")
    where = "the workspace" if cwd is None else quote(cwd)
    raise CommandRefused(
        "no_repository", f"{where} is not in a git repository of the workspace.", field="cwd", remedy=_NO_REPOSITORY
    )


def _is_repository(folder: Opened) -> bool:
    try:
        facts = os.stat(".git", dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(facts.st_mode):
        raise layout_refused(".git is a file or a link, which points somewhere else")
    return True


@contextmanager
def _checked(folder: Opened, *, cwd: str) -> Generator[Repository, None, None]:
    git = os.open(".git", _FOLDER, dir_fd=folder.fd)
    try:
        for name in _ELSEWHERE:
            if _size(git, name):
                raise layout_refused(f".git/{name} points to another repository")
        _no_links(git, ".", deep=False)
        for name in _FOLDERS:
            _no_links(git, name)
        config = _read(git, "config") + b"\n\n" + _read(git, "config.worktree") + _OWN
        yield Repository(fd=folder.fd, git_fd=git, folder=folder.name, cwd=cwd, config=config)
    finally:
        os.close(git)


def _size(git: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=git, follow_symlinks=False).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _no_links(git: int, top: str, *, deep: bool = True) -> None:
    waiting, seen = [top], 0
    while waiting:
        name = waiting.pop()
        try:
            fd = os.open(name, _FOLDER, dir_fd=git)
        except FileNotFoundError:
            continue
        except OSError:  # also how a link to a folder answers
            raise layout_refused(f".git/{escape_name(name)} is not a folder") from None
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    seen += 1
                    if entry.is_symlink():
                        raise layout_refused(f".git/{escape_name(name)}/{escape_name(entry.name)} is a link")
                    if deep and entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{name}/{entry.name}")
        finally:
            os.close(fd)
        if seen > _MAX_NAMES:
            raise layout_refused(f".git/{top} has more than {_MAX_NAMES} files")


def _read(git: int, name: str) -> bytes:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=git)
    except FileNotFoundError:
        return b""
    try:
        facts = os.fstat(fd)
        data = os.read(fd, _MAX_CONFIG + 1) if stat.S_ISREG(facts.st_mode) else b"?"
        if len(data) > _MAX_CONFIG or not stat.S_ISREG(facts.st_mode):
            raise layout_refused(f".git/{name} is too long, or not a file")
        return data
    finally:
        os.close(fd)


def layout_refused(problem: str) -> CommandRefused:
    """Return the refusal of a repository whose files are not as git makes them."""
    return CommandRefused("repo_layout_refused", f"{problem}.", field="cwd", remedy=_ADVICE)


def check_config(listed: bytes, allowed: tuple[str, ...]) -> Entries:
    """Refuse a configuration, as ``git config --list -z`` writes it, that sets any key not known as harmless.

    Returns the keys with their values.

    Raises:
        CommandRefused: ``repo_config_refused``, with the key.
    """
    found: list[tuple[str, str]] = []
    for entry in listed.decode("utf-8", "replace").split("\0"):
        if not entry:
            continue
        key, _, value = entry.partition("\n")
        found.append((key, value))
        if key in _FLAT or _NAMED.fullmatch(key) or key in allowed:
            continue
        if key == "core.repositoryformatversion" and value in {"0", "1"}:
            continue
        if key == "core.bare" and value.casefold() in {"false", "no", "off", "0"}:
            continue
        shown = escape_name(key[:100])
        raise CommandRefused(
            "repo_config_refused",
            f"this repository sets {shown}, which can make git run programs or look elsewhere.",
            field="cwd",
            remedy=f"{_ADVICE} Ask the user to run  git config --unset {shown}  or to allow the key in the policy.",
        )
    if not found or found[-1] != ("extensions.worktreeconfig", "false"):
        raise CommandRefused(
            "repo_config_refused", "its configuration does not end where it should.", field="cwd", remedy=_ADVICE
        )
    return tuple(found)
