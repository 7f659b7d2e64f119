"""What commands on a store have in common on the command line: which store, JSON, counts and ages."""

import argparse
import re
from datetime import timedelta
from typing import Final, Protocol

__all__ = ["AGE", "STORE", "Commands", "age", "as_json", "place", "positive", "seconds", "store"]

STORE: Final = """\
The audit is a file (SQLite), or a database of Postgres: postgresql://user@host/database. A password in a command line
can be seen by others on the machine; leave it out and set PGPASSWORD, or keep it in ~/.pgpass.
"""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
AGE: Final = re.compile(r"([1-9][0-9]{0,8})([smhdw])")


class Commands(Protocol):
    """What ``add_subparsers`` returns; argparse has no public name for it."""

    def add_parser(self, name: str, /, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 # argparse's name


def place(parser: argparse.ArgumentParser) -> None:
    """Let the store be named by itself, or with ``--store``."""
    parser.add_argument(
        "target", nargs="?", metavar="STORE", help="the file or the DSN (default: the file in your folder for state)"
    )
    store(parser)


def store(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """Add ``--store`` and ``--scope``; ``again`` where they may have stood before a command's name already."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        default=argparse.SUPPRESS if again else None,
        help="the file or the DSN (default: the file in your folder for state)",
    )
    parser.add_argument(
        "--scope",
        metavar="NAME",
        default=argparse.SUPPRESS if again else "default",
        help="the tenant whose events these are (default: default)",
    )


def as_json(parser: argparse.ArgumentParser, what: str, *, again: bool = False) -> None:
    """Add ``--json``, which prints ``what``."""
    default = argparse.SUPPRESS if again else False
    parser.add_argument("--json", action="store_true", dest="as_json", default=default, help=f"print JSON: {what}")


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def age(text: str) -> timedelta:
    """Read an age, such as 90d."""
    match = AGE.fullmatch(text)
    try:
        if match:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no age: write a number and s, m, h, d or w, such as 90d")


def seconds(text: str) -> float:
    """Read a number of seconds above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return found
