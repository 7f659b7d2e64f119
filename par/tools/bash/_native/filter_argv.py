"""The argvs of the filters. They read their standard input: no file is ever named to them."""

from par.errors import CommandRefused
from par.tools.bash._commands.filters import Cut, GrepFilter, Sort, Translate, Uniq
from par.tools.bash._commands.looking import JsonQuery
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.grep import to_extended

__all__ = ["ProgramFilter", "filter_arguments", "program_of"]

ProgramFilter = GrepFilter | Sort | Uniq | Cut | Translate | JsonQuery
_PROGRAMS = {
    "grep_filter": "grep",
    "sort": "sort",
    "uniq": "uniq",
    "cut": "cut",
    "translate": "tr",
    "json_query": "jq",
}
_TR = {"translate": (), "delete": ("-d",), "squeeze": ("-s",)}


def program_of(command: ProgramFilter) -> str:
    """Return the name of the program that does the work."""
    return _PROGRAMS[command.op]


def filter_arguments(command: ProgramFilter) -> tuple[str, ...]:
    """Return what the program gets, in short options that GNU and BSD understand alike.

    Raises:
        CommandRefused: for a pattern or characters that the program cannot take.
    """
    if isinstance(command, GrepFilter):
        return _grep(command)
    if isinstance(command, Sort):
        return _sort(command)
    if isinstance(command, Uniq):
        only = {None: "", "repeated": "-d", "unique": "-u"}[command.only]
        return _given((command.count, "-c"), (bool(only), only), (command.ignore_case, "-i"))
    if isinstance(command, Cut):
        return _cut(command)
    return _translate(command) if isinstance(command, Translate) else _query(command)


def _given(*options: tuple[bool, str]) -> tuple[str, ...]:
    return tuple(token for wanted, token in options if wanted)


def _grep(command: GrepFilter) -> tuple[str, ...]:
    fixed = command.syntax == "fixed"
    return _given(
        (True, "--color=never"),
        (True, "--text"),
        (True, "--fixed-strings" if fixed else "--extended-regexp"),
        (command.ignore_case, "--ignore-case"),
        (command.whole_word, "--word-regexp"),
        (command.invert, "--invert-match"),
        (command.output == "count", "--count"),
        (command.output == "only_matching", "--only-matching"),
        (command.max_count is not None, f"--max-count={command.max_count}"),
        (True, f"--regexp={command.pattern if fixed else to_extended(command.pattern)}"),
    )


def _sort(command: Sort) -> tuple[str, ...]:
    key = ""
    if command.key is not None:
        key = f"-k{command.key.start}" + ("" if command.key.end is None else f",{command.key.end}")
    return _given(
        (True, "-S64M"),
        (command.numeric, "-n"),
        (command.human, "-h"),
        (command.version, "-V"),
        (command.reverse, "-r"),
        (command.unique, "-u"),
        (command.ignore_case, "-f"),
        (command.separator is not None, f"-t{command.separator}"),
        (bool(key), key),
    )


def _cut(command: Cut) -> tuple[str, ...]:
    return _given(
        (command.fields is not None, f"-f{command.fields}"),
        (command.bytes is not None, f"-b{command.bytes}"),
        (command.delimiter is not None, f"-d{command.delimiter}"),
        (command.only_delimited, "-s"),
    )


def _translate(command: Translate) -> tuple[str, ...]:
    for field, text in (("set1", command.set1), ("set2", command.set2)):
        if text is not None and not text.isascii():
            problem = f"{quote(text)} has characters that are more than one byte long, and tr works on bytes."
            raise CommandRefused("bad_text", problem, field=field, remedy="Use characters of ASCII.")
    sets = (command.set1,) if command.set2 is None else (command.set1, command.set2)
    return (*_given((command.complement, "-c")), *_TR[command.mode], "--", *sets)


def _query(command: JsonQuery) -> tuple[str, ...]:
    # in brackets a filter cannot begin with a dash or with import, and the line break ends a comment
    filter_ = f"({command.filter}\n)"
    return (*_given((True, "-M"), (command.raw, "-r"), (command.compact, "-c"), (command.slurp, "-s")), filter_)
