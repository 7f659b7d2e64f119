"""The commands that look at files and at the machine, besides reading and searching."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Choice, Flag, Many, Whole
from par.tools.bash._commands.kinds_of_text import glob, path, program, text
from par.tools.bash._commands.values import as_optional_tuple, as_tuple, check, joined

__all__ = [
    "Checksum",
    "Diff",
    "DiskUsage",
    "FileType",
    "HexDump",
    "JsonQuery",
    "Stat",
    "SystemInfo",
    "Tree",
    "Which",
]

_FILES = Many("The files, relative to the workspace.", path("")).at()


@attrs.frozen(kw_only=True)
class Tree:
    """Draw the folders below a folder, and the files in them."""

    op: ClassVar[Literal["tree"]] = "tree"

    path: str = attrs.field(default=".", metadata=path("The folder, relative to the workspace.").at())
    depth: int = attrs.field(default=3, metadata=Whole("How many levels.", 1, 64).at())
    dirs_only: bool = attrs.field(default=False, metadata=Flag("Folders only.").at())
    ignore: tuple[str, ...] | None = attrs.field(
        default=None, converter=as_optional_tuple, metadata=Many("No files or folders like these.", glob(""), 32).at()
    )

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Stat:
    """Show kind, mode, size and time of change of files; a link is described itself."""

    op: ClassVar[Literal["stat"]] = "stat"

    paths: tuple[str, ...] = attrs.field(converter=as_tuple, metadata=_FILES)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class DiskUsage:
    """Sum up the disk space that a folder and its folders take."""

    op: ClassVar[Literal["disk_usage"]] = "disk_usage"

    path: str = attrs.field(default=".", metadata=path("The folder, relative to the workspace.").at())
    depth: int | None = attrs.field(
        default=None, metadata=Whole("How many levels to show; all below count.", 0, 64).at()
    )
    human: bool = attrs.field(default=False, metadata=Flag("Sizes as 1.5M instead of bytes.").at())
    summarize: bool = attrs.field(default=False, metadata=Flag("The sum only.").at())

    def __attrs_post_init__(self) -> None:
        both = self.summarize is True and self.depth is not None
        check(self, joined("give summarize or depth, not both.", "depth") if both else None)


@attrs.frozen(kw_only=True)
class Diff:
    """Compare two files, or with recursive two folders."""

    op: ClassVar[Literal["diff"]] = "diff"

    left: str = attrs.field(metadata=path("The first, relative to the workspace.").at())
    right: str = attrs.field(metadata=path("The second.").at())
    unified: int = attrs.field(default=3, metadata=Whole("Lines around each change.", 0, 100).at())
    ignore_space: bool = attrs.field(default=False, metadata=Flag("Leave out changes of white space.").at())
    brief: bool = attrs.field(default=False, metadata=Flag("Only whether they differ.").at())
    recursive: bool = attrs.field(default=False, metadata=Flag("They are folders.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class JsonQuery:
    """Run a jq filter over a JSON file. In a pipeline, over what comes in."""

    op: ClassVar[Literal["json_query"]] = "json_query"

    filter: str = attrs.field(metadata=text("A filter of jq, such as .items[] | .name", 2000).at())
    path: str | None = attrs.field(default=None, metadata=path("The file, relative to the workspace.").at())
    raw: bool = attrs.field(default=False, metadata=Flag("Texts without quotes.").at())
    compact: bool = attrs.field(default=False, metadata=Flag("Each result in one line.").at())
    slurp: bool = attrs.field(default=False, metadata=Flag("All values of the input as one list.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Which:
    """Tell whether a program may be used here, and for what."""

    op: ClassVar[Literal["which"]] = "which"

    program: str = attrs.field(metadata=program("The program's name.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class SystemInfo:
    """Tell one fact about the machine or the workspace."""

    op: ClassVar[Literal["system_info"]] = "system_info"

    what: Literal["cwd", "os", "arch", "python_version", "git_version", "cpu_count", "date"] = attrs.field(
        metadata=Choice("Which fact.", ("cwd", "os", "arch", "python_version", "git_version", "cpu_count", "date")).at()
    )

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Checksum:
    """Compute checksums of files."""

    op: ClassVar[Literal["checksum"]] = "checksum"

    paths: tuple[str, ...] = attrs.field(converter=as_tuple, metadata=_FILES)
    algorithm: Literal["sha256", "sha512", "sha1", "md5"] = attrs.field(
        default="sha256", metadata=Choice("How.", ("sha256", "sha512", "sha1", "md5")).at()
    )

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class FileType:
    """Guess the media type of files from their content."""

    op: ClassVar[Literal["file_type"]] = "file_type"

    paths: tuple[str, ...] = attrs.field(converter=as_tuple, metadata=_FILES)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class HexDump:
    """Show bytes of a file as hexadecimal numbers."""

    op: ClassVar[Literal["hex_dump"]] = "hex_dump"

    path: str = attrs.field(metadata=path("The file, relative to the workspace.").at())
    offset: int = attrs.field(default=0, metadata=Whole("The first byte, from 0.", 0, 2**53).at())
    length: int = attrs.field(default=256, metadata=Whole("How many bytes.", 1, 65_536).at())

    def __attrs_post_init__(self) -> None:
        check(self)
