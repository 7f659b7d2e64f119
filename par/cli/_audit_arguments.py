"""The words of ``par audit``: its commands, their options and help."""

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path

from par.cli._store_arguments import AGE, STORE, Commands, age, as_json, place, positive, store

__all__ = ["add_audit_commands"]


def add_audit_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``par audit`` to its parser; ``audit_command`` carries them out."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = STORE
    commands = parser.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    _add_reading(commands)
    _add_copying(commands)
    _add_removing(commands)
    _add_letters(commands.add_parser("dead-letters", help="events that did not reach their subscribers"))


def _add_reading(commands: Commands) -> None:
    tail = commands.add_parser("tail", help="print the last events, and those to come")
    place(tail)
    _session(tail)
    tail.add_argument("-n", "--count", type=positive, default=20, metavar="N", help="how many (default 20)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on with each event as it is stored")
    as_json(tail, "one event a line, with all contents")

    show = commands.add_parser("show", help="tell what happened in a session, run by run")
    show.add_argument("session", metavar="SESSION", help="its name; `par audit sessions` lists them")
    place(show)
    show.add_argument("--full", action="store_true", help="with all contents: messages, arguments, results")
    as_json(show, "one event a line, with its place in the tree of runs")

    sessions = commands.add_parser("sessions", help="list the sessions, the one that was active last at the end")
    place(sessions)
    as_json(sessions, "one session a line")

    stats = commands.add_parser("stats", help="count events, runs, tool calls, tokens and cost")
    place(stats)
    _session(stats)
    as_json(stats, "one object")


def _add_copying(commands: Commands) -> None:
    verify = commands.add_parser("verify", help="check the hash chain of every session; exit code 3 if one is broken")
    place(verify)
    _session(verify)
    verify.add_argument("--key-file", type=Path, metavar="FILE", help="the key that the store is kept with")
    verify.add_argument("--heads", type=Path, metavar="FILE", help="compare with heads that `par audit heads` wrote")
    verify.add_argument("--heads-key-file", type=Path, metavar="FILE", help="the key that the heads were signed with")
    as_json(verify, "one object for each break, and one for the whole")

    heads = commands.add_parser("heads", help="write the head of each session, as JSON lines, to be kept elsewhere")
    place(heads)
    heads.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file (default: standard output)")
    heads.add_argument("--key-file", type=Path, metavar="FILE", help="sign them with this key; else a checksum")

    export = commands.add_parser("export", help="copy events into a file for other programs")
    place(export)
    _session(export)
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file (default: standard output)")
    export.add_argument(
        "--format", choices=("jsonl", "csv", "parquet"), help="default: as the file's name ends, else jsonl"
    )
    export.add_argument("--since", type=_moment, metavar="TIME", help="from then on: 2025-01-31[T12:00[Z]], or 7d ago")
    export.add_argument("--until", type=_moment, metavar="TIME", help="before then")
    export.add_argument(
        "--kind",
        action="append",
        default=[],
        metavar="KIND",
        help="events of this kind alone, such as tool_call_started; may be given several times",
    )


def _add_removing(commands: Commands) -> None:
    redact = commands.add_parser("redact", help="remove contents of events for good; the chain still verifies")
    redact.add_argument("session", nargs="?", metavar="SESSION", help="the session")
    redact.add_argument("--all-sessions", action="store_true", help="look for the texts in every session instead")
    store(redact)
    what = redact.add_mutually_exclusive_group(required=True)
    what.add_argument("--seq", type=_numbers, action="append", metavar="N", help="numbers of events, such as 3,5-9")
    what.add_argument("--text", action="append", metavar="TEXT", help="the events in which this text occurs")
    redact.add_argument("--reason", required=True, help="why; it is recorded")
    redact.add_argument("--by", help="who does it; it is recorded (default: your user name)")
    _yes(redact)
    as_json(redact, "one session a line")

    expire = commands.add_parser("expire", help="remove old events from the front of each session")
    place(expire)
    _session(expire)
    expire.add_argument("--older-than", type=age, required=True, metavar="AGE", help="such as 90d (s, m, h, d, w)")
    _yes(expire)
    as_json(expire, "one object")


def _add_letters(letters: argparse.ArgumentParser) -> None:
    # the options may stand before and after the next word, and what stands before must not be forgotten
    store(letters)
    as_json(letters, "one letter a line")
    parts = letters.add_subparsers(dest="letters_command", metavar="COMMAND")
    listing = parts.add_parser("list", help="list them, the oldest first (the default)")
    listing.add_argument("--subscriber", metavar="NAME", help="those of this subscriber alone")
    listing.add_argument("--session", metavar="NAME", help="those of this session alone")
    show = parts.add_parser("show", help="show one, with the event")
    show.add_argument("id", metavar="ID")
    replay = parts.add_parser("replay", help="deliver them again, to a function that this process can import")
    replay.add_argument("id", metavar="ID", nargs="+")
    replay.add_argument("--handler", required=True, metavar="MODULE:FUNCTION", help="what is called with each delivery")
    delete = parts.add_parser("delete", help="remove them; the audit keeps the events")
    delete.add_argument("id", metavar="ID", nargs="+")
    for part in (listing, show, replay, delete):
        store(part, again=True)
        as_json(part, "one letter a line", again=True)


def _session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", metavar="NAME", help="this session alone")


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def _numbers(text: str) -> list[range]:
    found: list[range] = []
    for part in text.split(","):
        match = re.fullmatch(r"([1-9][0-9]{0,17})(?:-([1-9][0-9]{0,17}))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first >= 1_000_000:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers of events, such as 3,5-9")
        found.append(range(first, last + 1))
    return found


def _moment(text: str) -> datetime:
    """Read a time; without a zone it is UTC, as all times of an audit are. An age is so long ago."""
    try:
        if AGE.fullmatch(text):
            return datetime.now(UTC) - age(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        problem = (
            f"{text!r} is no time: write 2025-01-31, 2025-01-31T12:00 (UTC), 2025-01-31T12:00+02:00, or 7d for ago"
        )
        raise argparse.ArgumentTypeError(problem) from None
