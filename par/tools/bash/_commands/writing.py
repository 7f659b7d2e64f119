"""The commands that change files of the workspace."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Choice, Flag, Many
from par.tools.bash._commands.kinds_of_text import path, text, write_path
from par.tools.bash._commands.values import as_tuple, check

__all__ = [
    "ArchiveExtract",
    "ArchiveList",
    "Copy",
    "MakeDir",
    "Move",
    "Remove",
    "SetExecutable",
    "Touch",
    "WriteFile",
]

_OVERWRITE = Flag("Replace a file that is there.").at()


@attrs.frozen(kw_only=True)
class MakeDir:
    """Make a folder."""

    op: ClassVar[Literal["make_dir"]] = "make_dir"

    path: str = attrs.field(metadata=write_path("The folder, relative to the workspace.").at())
    parents: bool = attrs.field(default=False, metadata=Flag("Also those above it; it may be there already.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Touch:
    """Make an empty file, or set the time of one to now."""

    op: ClassVar[Literal["touch"]] = "touch"

    path: str = attrs.field(metadata=write_path("The file, relative to the workspace.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class WriteFile:
    """Write a text file."""

    op: ClassVar[Literal["write_file"]] = "write_file"

    path: str = attrs.field(metadata=write_path("The file, relative to the workspace.").at())
    content: str = attrs.field(metadata=text("All of it, or with append what is added.", 1_048_576, empty=True).at())
    mode: Literal["create", "overwrite", "append"] = attrs.field(
        default="create",
        metadata=Choice("create refuses a file that is there.", ("create", "overwrite", "append")).at(),
    )

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Copy:
    """Copy a file, or with recursive a folder."""

    op: ClassVar[Literal["copy"]] = "copy"

    src: str = attrs.field(metadata=path("What to copy, relative to the workspace.").at())
    dst: str = attrs.field(metadata=write_path("The copy's own name; a folder that is there is not meant.").at())
    recursive: bool = attrs.field(default=False, metadata=Flag("A folder with all that is in it.").at())
    overwrite: bool = attrs.field(default=False, metadata=_OVERWRITE)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Move:
    """Move or rename a file or a folder."""

    op: ClassVar[Literal["move"]] = "move"

    src: str = attrs.field(metadata=write_path("What to move, relative to the workspace.").at())
    dst: str = attrs.field(metadata=write_path("Its new name; a folder that is there is not meant.").at())
    overwrite: bool = attrs.field(default=False, metadata=_OVERWRITE)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Remove:
    """Remove files, or with recursive folders."""

    op: ClassVar[Literal["remove"]] = "remove"

    paths: tuple[str, ...] = attrs.field(
        converter=as_tuple, metadata=Many("What to remove, relative to the workspace.", write_path("")).at()
    )
    recursive: bool = attrs.field(default=False, metadata=Flag("Folders with all that is in them.").at())
    missing_ok: bool = attrs.field(default=False, metadata=Flag("What is absent is no mistake.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class SetExecutable:
    """Let a file be run as a program, or not."""

    op: ClassVar[Literal["set_executable"]] = "set_executable"

    path: str = attrs.field(metadata=write_path("The file, relative to the workspace.").at())
    executable: bool = attrs.field(default=True, metadata=Flag("Whether it may be run.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ArchiveList:
    """List what a zip or tar archive contains."""

    op: ClassVar[Literal["archive_list"]] = "archive_list"

    path: str = attrs.field(metadata=path("The archive, relative to the workspace.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ArchiveExtract:
    """Unpack a zip or tar archive into a new folder."""

    op: ClassVar[Literal["archive_extract"]] = "archive_extract"

    path: str = attrs.field(metadata=path("The archive, relative to the workspace.").at())
    dst: str = attrs.field(metadata=write_path("The folder; it must be absent or empty.").at())

    def __attrs_post_init__(self) -> None:
        check(self)
