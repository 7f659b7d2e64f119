"""The commands that read files and folders."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Choice, Flag, Many, Whole
from par.tools.bash._commands.kinds_of_text import glob, path, pattern
from par.tools.bash._commands.nested import Age, age, as_age
from par.tools.bash._commands.values import as_optional_tuple, as_tuple, check, joined

__all__ = ["Find", "Grep", "Head", "ListDir", "ReadFile", "Tail", "WordCount"]

_MILLION = 1_000_000
_PATH = path("The file, relative to the workspace.").at()


@attrs.frozen(kw_only=True)
class ListDir:
    """List the names in a folder."""

    op: ClassVar[Literal["list_dir"]] = "list_dir"

    path: str = attrs.field(default=".", metadata=path("The folder, relative to the workspace.").at())
    all: bool = attrs.field(default=False, metadata=Flag("Also names that begin with a dot.").at())
    long: bool = attrs.field(default=False, metadata=Flag("Also mode, size and time of change.").at())
    recursive: bool = attrs.field(default=False, metadata=Flag("Also what the folders in it contain.").at())
    max_depth: int | None = attrs.field(
        default=None, metadata=Whole("With recursive: how many levels, 1 is the folder itself.", 1, 32).at()
    )
    sort: Literal["name", "time", "size"] = attrs.field(
        default="name",
        metadata=Choice("Order; time and size begin with the newest and largest.", ("name", "time", "size")).at(),
    )
    reverse: bool = attrs.field(default=False, metadata=Flag("Turn the order around.").at())
    dirs_only: bool = attrs.field(default=False, metadata=Flag("Folders only.").at())

    def __attrs_post_init__(self) -> None:
        alone = self.max_depth is not None and self.recursive is False
        check(self, joined("max_depth needs recursive: true.", "max_depth") if alone else None)


@attrs.frozen(kw_only=True)
class ReadFile:
    """Read a text file, or some of its lines."""

    op: ClassVar[Literal["read_file"]] = "read_file"

    path: str = attrs.field(metadata=_PATH)
    start_line: int | None = attrs.field(default=None, metadata=Whole("First line, from 1.", 1, 100 * _MILLION).at())
    end_line: int | None = attrs.field(default=None, metadata=Whole("Last line.", 1, 100 * _MILLION).at())
    number_lines: bool = attrs.field(default=False, metadata=Flag("Put the number before each line.").at())

    def __attrs_post_init__(self) -> None:
        turned = type(self.start_line) is int and type(self.end_line) is int and self.end_line < self.start_line
        check(self, joined("end_line is before start_line.", "end_line") if turned else None)


@attrs.frozen(kw_only=True)
class Head:
    """Read the beginning of a file: 10 lines unless told otherwise. In a pipeline, of what comes in."""

    op: ClassVar[Literal["head"]] = "head"

    path: str | None = attrs.field(default=None, metadata=_PATH)
    lines: int | None = attrs.field(default=None, metadata=Whole("How many lines.", 1, _MILLION).at())
    bytes: int | None = attrs.field(default=None, metadata=Whole("How many bytes instead.", 1, 10 * _MILLION).at())

    def __attrs_post_init__(self) -> None:
        both = self.lines is not None and self.bytes is not None
        check(self, joined("give lines or bytes, not both.", "bytes") if both else None)


@attrs.frozen(kw_only=True)
class Tail:
    """Read the end of a file: 10 lines unless told otherwise. In a pipeline, of what comes in."""

    op: ClassVar[Literal["tail"]] = "tail"

    path: str | None = attrs.field(default=None, metadata=_PATH)
    lines: int | None = attrs.field(default=None, metadata=Whole("How many lines.", 1, _MILLION).at())
    bytes: int | None = attrs.field(default=None, metadata=Whole("How many bytes instead.", 1, 10 * _MILLION).at())
    from_line: int | None = attrs.field(
        default=None, metadata=Whole("Everything from this line on instead.", 1, 100 * _MILLION).at()
    )

    def __attrs_post_init__(self) -> None:
        given = [value for value in (self.lines, self.bytes, self.from_line) if value is not None]
        check(self, joined("give one of lines, bytes and from_line.", "lines") if len(given) > 1 else None)


@attrs.frozen(kw_only=True)
class WordCount:
    """Count lines, words, bytes or characters; lines, words and bytes unless told otherwise."""

    op: ClassVar[Literal["word_count"]] = "word_count"

    paths: tuple[str, ...] | None = attrs.field(
        default=None,
        converter=as_optional_tuple,
        metadata=Many("The files, relative to the workspace; in a pipeline none.", path("")).at(),
    )
    lines: bool = attrs.field(default=False, metadata=Flag("Count lines.").at())
    words: bool = attrs.field(default=False, metadata=Flag("Count words.").at())
    bytes: bool = attrs.field(default=False, metadata=Flag("Count bytes.").at())
    chars: bool = attrs.field(default=False, metadata=Flag("Count characters of UTF-8.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Grep:
    """Look for a pattern in files, line by line; binary files are left out."""

    op: ClassVar[Literal["grep"]] = "grep"

    pattern: str = attrs.field(
        metadata=pattern(
            "An extended regular expression; also \\w \\s \\b \\d. No look-around, no back-references."
        ).at()
    )
    paths: tuple[str, ...] = attrs.field(
        default=(".",), converter=as_tuple, metadata=Many("Files and folders to search.", path("")).at()
    )
    syntax: Literal["regex", "fixed"] = attrs.field(
        default="regex", metadata=Choice("fixed: the pattern is plain text.", ("regex", "fixed")).at()
    )
    ignore_case: bool = attrs.field(default=False, metadata=Flag("Upper and lower case are the same.").at())
    whole_word: bool = attrs.field(default=False, metadata=Flag("Only whole words.").at())
    invert: bool = attrs.field(default=False, metadata=Flag("Lines without the pattern.").at())
    output: Literal["lines", "files", "files_without", "count", "only_matching"] = attrs.field(
        default="lines",
        metadata=Choice("What to show.", ("lines", "files", "files_without", "count", "only_matching")).at(),
    )
    before: int | None = attrs.field(default=None, metadata=Whole("Lines to show before each.", 0, 100).at())
    after: int | None = attrs.field(default=None, metadata=Whole("Lines to show after each.", 0, 100).at())
    context: int | None = attrs.field(default=None, metadata=Whole("Lines to show around each.", 0, 100).at())
    include: tuple[str, ...] | None = attrs.field(
        default=None, converter=as_optional_tuple, metadata=Many("Only files like these.", glob(""), 32).at()
    )
    exclude: tuple[str, ...] | None = attrs.field(
        default=None, converter=as_optional_tuple, metadata=Many("No files or folders like these.", glob(""), 32).at()
    )
    hidden: bool = attrs.field(default=False, metadata=Flag("Also names that begin with a dot.").at())
    no_ignore: bool = attrs.field(default=False, metadata=Flag("Also what .gitignore leaves out.").at())
    max_count: int | None = attrs.field(default=None, metadata=Whole("Matching lines per file.", 1, _MILLION).at())

    def __attrs_post_init__(self) -> None:
        around = self.before is not None or self.after is not None or self.context is not None
        problem = None
        if around and self.output != "lines":
            problem = joined("before, after and context need output: lines.", "context")
        check(self, problem)


@attrs.frozen(kw_only=True)
class Find:
    """Find files and folders by name, kind, size and age. It does not look into .git."""

    op: ClassVar[Literal["find"]] = "find"

    paths: tuple[str, ...] = attrs.field(
        default=(".",), converter=as_tuple, metadata=Many("Where to begin.", path("")).at()
    )
    name: str | None = attrs.field(default=None, metadata=glob("The last name matches.").at())
    iname: str | None = attrs.field(default=None, metadata=glob("The last name matches in any case.").at())
    path_glob: str | None = attrs.field(default=None, metadata=glob("The whole path matches; * also crosses /.").at())
    type: Literal["file", "dir", "symlink"] | None = attrs.field(
        default=None, metadata=Choice("Only these.", ("file", "dir", "symlink")).at()
    )
    min_depth: int | None = attrs.field(default=None, metadata=Whole("Nothing above this level.", 0, 64).at())
    max_depth: int | None = attrs.field(default=None, metadata=Whole("Nothing below this level.", 0, 64).at())
    size_min: int | None = attrs.field(default=None, metadata=Whole("At least so many bytes.", 0, 2**53).at())
    size_max: int | None = attrs.field(default=None, metadata=Whole("At most so many bytes.", 0, 2**53).at())
    newer_than: Age | None = attrs.field(default=None, converter=as_age, metadata=age("Changed within this time.").at())
    older_than: Age | None = attrs.field(
        default=None, converter=as_age, metadata=age("Not changed within this time.").at()
    )
    newer_than_path: str | None = attrs.field(default=None, metadata=path("Changed after this file.").at())
    empty: bool = attrs.field(default=False, metadata=Flag("Only empty files and folders.").at())
    exclude_dirs: tuple[str, ...] | None = attrs.field(
        default=None, converter=as_optional_tuple, metadata=Many("Folders to leave out.", glob(""), 32).at()
    )
    limit: int = attrs.field(default=1000, metadata=Whole("At most so many results.", 1, 10_000).at())
    print: Literal["path", "size", "mtime"] = attrs.field(
        default="path", metadata=Choice("What to show of each.", ("path", "size", "mtime")).at()
    )

    def __attrs_post_init__(self) -> None:
        check(self)
