"""The commands that stand in a pipeline, or take one file: they turn text into text."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Choice, Flag, Whole
from par.tools.bash._commands.kinds_of_text import argument, character, path, pattern, ranges, text
from par.tools.bash._commands.nested import Key, as_key
from par.tools.bash._commands.nested import key as key_kind
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.values import check, joined

__all__ = ["Cut", "EmitText", "GrepFilter", "Sort", "Translate", "Uniq"]

_PATH = path("The file, relative to the workspace; in a pipeline none.").at()


@attrs.frozen(kw_only=True)
class GrepFilter:
    """Keep the lines of a pipeline that match a pattern."""

    op: ClassVar[Literal["grep_filter"]] = "grep_filter"

    pattern: str = attrs.field(metadata=pattern("An extended regular expression; also \\w \\s \\b \\d.").at())
    syntax: Literal["regex", "fixed"] = attrs.field(
        default="regex", metadata=Choice("fixed: the pattern is plain text.", ("regex", "fixed")).at()
    )
    ignore_case: bool = attrs.field(default=False, metadata=Flag("Upper and lower case are the same.").at())
    whole_word: bool = attrs.field(default=False, metadata=Flag("Only whole words.").at())
    invert: bool = attrs.field(default=False, metadata=Flag("Lines without the pattern.").at())
    output: Literal["lines", "count", "only_matching"] = attrs.field(
        default="lines", metadata=Choice("What to pass on.", ("lines", "count", "only_matching")).at()
    )
    max_count: int | None = attrs.field(default=None, metadata=Whole("At most so many lines.", 1, 1_000_000).at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Sort:
    """Sort the lines of a file, or of a pipeline."""

    op: ClassVar[Literal["sort"]] = "sort"

    path: str | None = attrs.field(default=None, metadata=_PATH)
    numeric: bool = attrs.field(default=False, metadata=Flag("By number.").at())
    human: bool = attrs.field(default=False, metadata=Flag("By sizes such as 1.5M.").at())
    version: bool = attrs.field(default=False, metadata=Flag("By version numbers.").at())
    reverse: bool = attrs.field(default=False, metadata=Flag("The last first.").at())
    unique: bool = attrs.field(default=False, metadata=Flag("Each line once.").at())
    key: Key | None = attrs.field(default=None, converter=as_key, metadata=key_kind("By these fields.").at())
    separator: str | None = attrs.field(default=None, metadata=character("What parts the fields.").at())
    ignore_case: bool = attrs.field(default=False, metadata=Flag("Upper and lower case are the same.").at())

    def __attrs_post_init__(self) -> None:
        several = sum(flag is True for flag in (self.numeric, self.human, self.version)) > 1
        check(self, joined("give one of numeric, human and version.", "numeric") if several else None)


@attrs.frozen(kw_only=True)
class Uniq:
    """Join equal lines that follow one another, of a file or of a pipeline."""

    op: ClassVar[Literal["uniq"]] = "uniq"

    path: str | None = attrs.field(default=None, metadata=_PATH)
    count: bool = attrs.field(default=False, metadata=Flag("Put the number before each line.").at())
    only: Literal["repeated", "unique"] | None = attrs.field(
        default=None, metadata=Choice("Only lines that come several times, or once.", ("repeated", "unique")).at()
    )
    ignore_case: bool = attrs.field(default=False, metadata=Flag("Upper and lower case are the same.").at())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Cut:
    """Take fields, characters or bytes out of each line of a file, or of a pipeline."""

    op: ClassVar[Literal["cut"]] = "cut"

    path: str | None = attrs.field(default=None, metadata=_PATH)
    fields: str | None = attrs.field(default=None, metadata=ranges("Which fields, such as 1,3-5.").at())
    chars: str | None = attrs.field(default=None, metadata=ranges("Which characters instead.").at())
    bytes: str | None = attrs.field(default=None, metadata=ranges("Which bytes instead.").at())
    delimiter: str | None = attrs.field(
        default=None, metadata=character("What parts the fields; a tab unless given.").at()
    )
    only_delimited: bool = attrs.field(default=False, metadata=Flag("Leave out lines without it.").at())

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if sum(value is not None for value in (self.fields, self.chars, self.bytes)) != 1:
            problem = joined("give one of fields, chars and bytes.", "fields")
        elif self.fields is None and (self.delimiter is not None or self.only_delimited is True):
            problem = joined("delimiter and only_delimited go with fields.", "delimiter")
        check(self, problem)


@attrs.frozen(kw_only=True)
class Translate:
    """Replace, delete or squeeze characters of a pipeline: ``a-z`` means what it means in tr, a line break too."""

    op: ClassVar[Literal["translate"]] = "translate"

    set1: str = attrs.field(metadata=argument("The characters.").at())
    set2: str | None = attrs.field(default=None, metadata=argument("What takes their place.").at())
    mode: Literal["translate", "delete", "squeeze"] = attrs.field(
        default="translate", metadata=Choice("What to do with them.", ("translate", "delete", "squeeze")).at()
    )
    complement: bool = attrs.field(default=False, metadata=Flag("All characters that are not in set1.").at())

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.set1 == "":
            problem = joined("set1 is empty.", "set1")
        elif self.mode == "translate" and not self.set2:
            problem = joined("mode translate needs set2.", "set2")
        elif self.mode != "translate" and self.set2 is not None:
            problem = joined("set2 goes with mode translate.", "set2")
        check(self, problem)


@attrs.frozen(kw_only=True)
class EmitText:
    """Put a text at the beginning of a pipeline."""

    op: ClassVar[Literal["emit_text"]] = "emit_text"

    text: str = attrs.field(metadata=text("The text, as it stands.", 1_048_576, empty=True).at())

    def __attrs_post_init__(self) -> None:
        check(self)
