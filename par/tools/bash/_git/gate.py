"""Whether git may be run in a repository: its configuration and its layout must be harmless.

Git runs programs that a repository's configuration names, some of them on ``status`` and ``diff``, and options
cannot switch all of them off (filters have names of their own). So every key must be on a list of harmless ones.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._run.clean import escape_name

__all__ = ["GitGate", "Repository", "check_config", "open_repository", "private_index"]

_MAX_CONFIG = 256 * 1024
_MAX_INDEX = 256 * 1024 * 1024
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
# a link in one of these would let git read another repository, or anything else
_FOLDERS = (".", "objects", "objects/pack", "objects/info", "info", "refs", "refs/heads", "logs")
_ELSEWHERE = ("commondir", "objects/info/alternates", "objects/info/http-alternates")
_ADVICE = "The git commands are off in this repository until the user has changed that."


@attrs.frozen(kw_only=True)
class Repository:
    """A repository inside the workspace: its folder, held open, and its name there."""

    fd: int
    folder: str
    """Relative to the workspace, ``.`` for the workspace itself."""
    configs: tuple[bytes, ...]
    """What git will read as this repository's configuration."""


@final
class GitGate:
    """Remembers the configuration that was found harmless last, byte for byte.

    The files are read anew for each command; only the parsing by git is saved.
    """

    def __init__(self) -> None:
        self._passed: tuple[bytes, ...] | None = None

    def knows(self, configs: tuple[bytes, ...]) -> bool:
        """Tell whether exactly these were found harmless."""
        return self._passed == configs

    def passed(self, configs: tuple[bytes, ...]) -> None:
        """Remember them."""
        self._passed = configs


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
                    yield _checked(folder)
                    return
    except OSError as error:
        refuse_os_error(error, cwd or ".", "cwd")
    where = "the workspace" if cwd is None else quote(cwd)
    raise CommandRefused(
        "no_repository", f"{where} is not in a git repository of the workspace.", field="cwd", remedy=""
    )


def _is_repository(folder: Opened) -> bool:
    try:
        facts = os.stat(".git", dir_fd=folder.fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(facts.st_mode):
        raise _layout(".git is a file or a link, which points somewhere else")
    return True


def _checked(folder: Opened) -> Repository:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    git = os.open(".git", flags, dir_fd=folder.fd)
    try:
        for name in _ELSEWHERE:
            if _size(git, name):
                raise _layout(f".git/{name} points to another repository")
        for name in _FOLDERS:
            _no_links(git, name, flags)
        configs = tuple(_read(git, name) for name in ("config", "config.worktree"))
    finally:
        os.close(git)
    return Repository(fd=folder.fd, folder=folder.name, configs=configs)


@contextmanager
def private_index(repository: Repository) -> Generator[str, None, None]:
    """Give the path of a copy of the index: ``git diff`` writes to the index that it reads, and we only read.

    Raises:
        CommandRefused: ``repo_layout_refused`` if it is no file, or larger than 256 MiB.
    """
    with tempfile.TemporaryDirectory(prefix="par-git-") as folder:
        copy = f"{folder}/index"
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(".git/index", flags, dir_fd=repository.fd)
        except FileNotFoundError:
            yield copy  # nothing was ever added; git takes an absent index for an empty one
            return
        except OSError:
            raise _layout(".git/index cannot be read") from None
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_INDEX:
            os.close(fd)
            raise _layout(f".git/index is no file, or has more than {_MAX_INDEX} bytes")
        with os.fdopen(fd, "rb") as source, open(copy, "wb") as target:  # noqa: PTH123 # made of text above
            shutil.copyfileobj(source, target)
        yield copy


def _size(git: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=git, follow_symlinks=False).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _no_links(git: int, name: str, flags: int) -> None:
    try:
        fd = os.open(name, flags, dir_fd=git)
    except FileNotFoundError:
        return
    except NotADirectoryError:  # also how a link to a folder answers
        raise _layout(f".git/{name} is not a folder") from None
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise _layout(f".git/{name}/{escape_name(entry.name)} is a link")
    finally:
        os.close(fd)


def _read(git: int, name: str) -> bytes:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=git)
    except FileNotFoundError:
        return b""
    try:
        facts = os.fstat(fd)
        data = os.read(fd, _MAX_CONFIG + 1) if stat.S_ISREG(facts.st_mode) else b"?"
        if len(data) > _MAX_CONFIG or not stat.S_ISREG(facts.st_mode):
            raise _layout(f".git/{name} is too long, or not a file")
        return data
    finally:
        os.close(fd)


def _layout(problem: str) -> CommandRefused:
    return CommandRefused("repo_layout_refused", f"{problem}.", field="cwd", remedy=_ADVICE)


def check_config(listed: bytes, allowed: tuple[str, ...]) -> None:
    """Refuse a configuration, as ``git config --list -z`` writes it, that sets any key not known as harmless.

    Raises:
        CommandRefused: ``repo_config_refused``, with the key.
    """
    for entry in listed.decode("utf-8", "replace").split("\0"):
        if not entry:
            continue
        key, _, value = entry.partition("\n")
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
