"""Runs the commands that change files where there is too little room: a program of its own, for the tests of that."""

import ctypes
import io
import json
import os
import resource
import sys
import tarfile
from pathlib import Path

import anyio
import anyio.to_thread

from par.errors import CommandRefused
from par.tools.bash import (
    ArchiveExtract,
    Copy,
    MakeDir,
    Move,
    Policy,
    Remove,
    SetExecutable,
    Touch,
    Workspace,
    WriteFile,
)
from par.tools.bash._native.change import change
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import save_output

BIG = 48 * 1024


def mount(kind, folder, flags, options):
    done = ctypes.CDLL(None, use_errno=True).mount(kind, os.fsencode(folder), kind, flags, options)
    if done:
        raise OSError(ctypes.get_errno(), "mount")


def fill(folder):
    (folder / "big").write_bytes(b"x" * BIG)
    (folder / "d").mkdir()
    (folder / "d/big").write_bytes(b"y" * BIG)
    (folder / "small").write_bytes(b"mine")
    with tarfile.open(folder / "a", "w:gz") as archive:
        info = tarfile.TarInfo("f")
        info.size = 2 * BIG
        archive.addfile(info, io.BytesIO(bytes(2 * BIG)))


def everything(folder):
    found = {}
    for path in sorted(folder.rglob("*")):
        found[str(path.relative_to(folder))] = path.read_bytes().hex() if path.is_file() else None
    return found


def attempts(room, folder):
    content = "z" * 3 * BIG
    yield "create", lambda: change(room, WriteFile(path="n", content=content))
    yield "overwrite", lambda: change(room, WriteFile(path="small", content=content, mode="overwrite"))
    yield "append", lambda: change(room, WriteFile(path="small", content=content, mode="append"))
    yield "copy", lambda: change(room, Copy(src="big", dst="n"))
    yield "copy_folder", lambda: change(room, Copy(src="d", dst="n", recursive=True))
    yield "extract", lambda: change(room, ArchiveExtract(path="a", dst="n"))
    yield "save", lambda: save(room, "n", append=False)
    yield "save_append", lambda: save(room, "small", append=True)
    yield "make_dir", lambda: change(room, MakeDir(path="x/y", parents=True))
    yield "touch", lambda: change(room, Touch(path="small"))
    yield "touch_new", lambda: change(room, Touch(path="n"))
    yield "move", lambda: change(room, Move(src="small", dst="n"))
    yield "set_executable", lambda: change(room, SetExecutable(path="small"))
    yield "remove", lambda: change(room, Remove(paths=("small",)))


def save(room, path, *, append):
    with Path("/dev/zero").open("rb") as zeros:
        return save_output(room, path, zeros.fileno(), append=append)


def work(folder, chosen):
    told = {}
    with Workspace(folder) as workspace:
        room = Room(workspace=workspace, policy=Policy.coder())
        before = everything(folder)
        for name, attempt in attempts(room, folder):
            if name not in chosen:
                continue
            try:
                attempt()
                told[name] = "done"
            except CommandRefused as refused:
                told[name] = refused.code if everything(folder) == before else f"{refused.code}, and something is left"
    return told


def main():
    what, folder, *chosen = sys.argv[1:]
    folder = Path(folder)
    if what == "limited":
        fill(folder)
        resource.setrlimit(resource.RLIMIT_FSIZE, (BIG // 2, BIG // 2))
    else:
        try:
            mount(b"tmpfs", folder, 0, b"size=192k")
        except OSError:
            print(json.dumps("no tmpfs"))
            return
        fill(folder)
    if what == "full":
        free = os.statvfs(folder)
        (folder / "filler").write_bytes(b"f" * max(0, free.f_bavail * free.f_bsize - BIG // 2))
    if what == "read_only":
        mount(b"tmpfs", folder, 0x20 | 0x1, b"")  # MS_REMOUNT, MS_RDONLY

    async def run():
        return await anyio.to_thread.run_sync(work, folder, chosen)

    print(json.dumps(anyio.run(run)))


main()
