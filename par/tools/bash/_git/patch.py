"""git_apply: a patch may touch only what the commands that write files may."""

import os
import re
from typing import Final

from par.errors import CommandRefused
from par.tools.bash._commands.git_writing import GitApply
from par.tools.bash._commands.protected import asked_name
from par.tools.bash._commands.refusals import quote
from par.tools.bash._commands.texts import write_path_problem
from par.tools.bash._git.argv_writing import NUMSTAT, apply_argv
from par.tools.bash._git.process import Git, failed
from par.tools.bash._run.output import Outcome

__all__ = ["apply", "patched_names"]

# every line that could be one of these counts, also inside a hunk: more names are checked than git sees, never fewer
_PLAIN: Final = re.compile(r"^(?:--- |\+\+\+ )(.*)$", re.MULTILINE)
_MOVED: Final = re.compile(r"^(?:rename (?:from|to|old|new)|copy (?:from|to)) (.*)$", re.MULTILINE)
_BOTH: Final = re.compile(r"^diff --git (.*)$", re.MULTILINE)
# whatever stands where git takes a mode: it overlooks spaces before the number, and all that follows it
_MODE: Final = re.compile(r"^(?:(?:new file|deleted file|old|new) mode|index [^.\n]*\.\.[^ \n]*) (.*)$", re.MULTILINE)
_BINARY: Final = re.compile(r"^GIT binary patch", re.MULTILINE)
_AGAIN: Final = "Use read_file and make the patch from what it has now; write_file can replace it."
_FILES: Final = frozenset({"100644", "100755"})
_ESCAPED: Final = re.compile(rb'\\([abfnrtv"\\]|[0-7]{3})')
_LETTERS: Final = dict(zip(b'abfnrtv"\\', b'\a\b\f\n\r\t\v"\\', strict=True))


async def apply(git: Git, command: GitApply) -> Outcome:
    """Apply a patch to the work tree, all of it or nothing; its paths count from the top of the repository.

    Raises:
        CommandRefused: ``patch_fails``, and ``protected_path``, ``read_denied``, ``patch_refused`` for what it touches.
    """
    patch = command.patch if command.patch.endswith("\n") else f"{command.patch}\n"
    data = patch.encode()
    _check_modes(patch)
    if _BINARY.search(patch):
        # git takes a content that the repository has already by its id, whatever name it had
        raise _refused("it has binary content.", "Only text is patched.")
    candidates = patched_names(patch)
    for name in candidates:
        _check(git, name)
    listed = await git.run(*NUMSTAT, stdin=data, most=16 * 1024 * 1024)
    if listed.exit_code != 0 or listed.stdout.cut:
        raise failed(listed, "apply", code="patch_fails", remedy=_AGAIN)
    touched = [os.fsdecode(entry.split(b"\t", 2)[2]) for entry in listed.stdout.head.split(b"\0") if entry]
    for name in touched:
        _check(git, name)
        if name not in candidates:  # git reads a name otherwise than we do, so what else it reads cannot be told
            raise _refused(f"the name {quote(name)} is written in an unusual way.", "Write plain names with a/ and b/.")
    ended = await git.run(*apply_argv(command), stdin=data)
    if ended.exit_code != 0:
        raise failed(ended, "apply", code="patch_fails", remedy=_AGAIN)
    verb = "It would apply to" if command.check else "Applied to"
    return git.told([os.fsencode(name) for name in dict.fromkeys(touched)], f"{verb} these files.")


def patched_names(patch: str) -> frozenset[str]:
    """Return every name that git could take from a patch, without its first part (``a/`` or ``b/``).

    Raises:
        CommandRefused: ``patch_refused`` for a name that cannot be read with certainty.
    """
    found: set[str] = set()
    for text in _PLAIN.findall(patch):
        name = _unquoted(text.partition("\t")[0] if not text.startswith('"') else text)
        if name != "/dev/null":
            found.add(_stripped(name))
    for text in _MOVED.findall(patch):
        found.add(_unquoted(text))
    for text in _BOTH.findall(patch):
        found.update(_pair(text))
    return frozenset(name for name in found if name)


def _pair(text: str) -> list[str]:
    """Return the name in ``diff --git a/x b/x``, where git demands that both are the same."""
    if '"' in text:
        parts = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', text)
        return [_stripped(_unquoted(part)) for part in parts]
    half = text[: len(text) // 2]
    if text == f"{half} {text[len(half) + 1 :]}" and _stripped(half) == _stripped(text[len(half) + 1 :]):
        return [_stripped(half)]
    return [_stripped(part) for part in text.split(" ")]


def _stripped(name: str) -> str:
    return name.partition("/")[2]


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text.rstrip("\r")
    end = text.rfind('"')
    data = _ESCAPED.sub(_plain, text[1:end].encode()) if end > 0 else b""
    if not data or b"\0" in data:
        raise _refused(f"the name {quote(text)} cannot be read.", "Write plain names with a/ and b/.")
    return os.fsdecode(data)


def _plain(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code, 8) & 0xFF]) if len(code) == 3 else bytes([_LETTERS[code[0]]])


def _check_modes(patch: str) -> None:
    for mode in _MODE.findall(patch):
        if mode not in _FILES:
            what = {"120000": "a symbolic link", "160000": "a submodule"}.get(mode, f"the mode {quote(mode)}")
            raise _refused(f"it makes or changes {what}.", "Only regular files (100644, 100755) are patched.")


def _check(git: Git, name: str) -> None:
    found = write_path_problem("patch", git.real(name))
    if found is not None:
        raise CommandRefused(found.code, found.problem, field="patch", remedy=found.remedy)
    git.allow_writing(name, "patch")
    git.allow_reading(name, "patch")  # whether a patch applies tells what a file holds
    if asked_name(git.real(name)) is not None:
        raise CommandRefused(
            "protected_path",
            f"{quote(name)} is run or obeyed by programs later.",
            field="patch",
            remedy="Use write_file for it, which somebody approves of.",
        )


def _refused(problem: str, remedy: str) -> CommandRefused:
    return CommandRefused("patch_refused", problem, field="patch", remedy=remedy)
