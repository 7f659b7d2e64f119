"""The words of ``par sessions``: its commands, their options and help, each with an example."""

import argparse
from pathlib import Path
from typing import Final

from par.cli._store_arguments import STORE, Commands, age, as_json, place, positive, seconds, store

__all__ = ["add_sessions_commands"]

_SESSION: Final = "its name; `par sessions list` lists them"
_APPROVAL: Final = "the id of the approval; it may be left out if the session waits for one decision alone"


def add_sessions_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands of ``par sessions`` to its parser; ``sessions_command`` carries them out."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = STORE
    commands = parser.add_subparsers(dest="sessions_command", required=True, metavar="COMMAND")
    _add_looking(commands)
    _add_resume(commands)
    _add_deciding(commands)
    _add_sending(commands)


def _command(commands: Commands, name: str, what: str, example: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"example:\n  par sessions {name} {example}\n"
    return parser


def _add_looking(commands: Commands) -> None:
    listing = _command(commands, "list", "list the durable sessions", "--status running --store audit.db")
    place(listing)
    listing.add_argument(
        "--status", choices=("running", "completed", "failed"), help="those alone whose last turn is so"
    )
    listing.add_argument("-n", "--limit", type=positive, metavar="N", help="so many at most")
    as_json(listing, "one session a line")

    show = _command(commands, "show", "tell of a session: turns, steps, conversation", "order-42 --follow")
    _session(show)
    place(show)
    show.add_argument("--full", action="store_true", help="with all that was said, instead of the beginnings")
    show.add_argument(
        "-f", "--follow", action="store_true", help="go on with each event, until the turn has ended or is suspended"
    )
    as_json(show, "one object; with --follow then one event a line")

    waiting = _command(commands, "approvals", "list the calls that wait for a person", "order-42 --store audit.db")
    waiting.add_argument("session", nargs="?", metavar="SESSION", help="this session alone")
    store(waiting)
    waiting.add_argument("--all", action="store_true", dest="decided", help="also those that were decided")
    as_json(waiting, "one approval a line")


def _add_resume(commands: Commands) -> None:
    resume = _command(commands, "resume", "go on with a session where its process ended", "order-42 --agent shop:agent")
    what = resume.add_mutually_exclusive_group(required=True)
    what.add_argument("session", nargs="?", metavar="SESSION", help=_SESSION)
    what.add_argument(
        "--all", action="store_true", dest="every", help="all sessions at which nobody works and that wait for nobody"
    )
    _writes(resume)
    resume.add_argument(
        "--agent",
        action="append",
        required=True,
        metavar="MODULE:NAME",
        help="the agent, imported from the folder that you stand in; with --all it may be given several times",
    )
    resume.add_argument("--timeout", type=seconds, metavar="S", help="cancel the turn after S seconds (not with --all)")
    resume.add_argument(
        "--wait",
        type=seconds,
        metavar="S",
        help="seconds to wait for a process that gives no sign of life (default: until its lease has run out)",
    )
    resume.add_argument(
        "--migrate", action="store_true", help="go on although the agent is defined otherwise than when the turn began"
    )


def _add_deciding(commands: Commands) -> None:
    approve = _command(
        commands, "approve", "let a call be made that waits for a person", "order-42 --by ann --role manager"
    )
    _deciding(approve)
    reject = _command(commands, "reject", "say no; the model is told why", 'order-42 --by ann --note "too much"')
    _deciding(reject)
    modify = _command(
        commands, "modify", "let a call be made with other arguments", "order-42 --arguments '{\"euros\": 5}' --by ann"
    )
    modify.add_argument(
        "--arguments", required=True, metavar="JSON", help="all of the arguments; - reads them from standard input"
    )
    _deciding(modify)
    escalate = _command(commands, "escalate", "leave the decision to others", "order-42 --to director --by ann")
    escalate.add_argument(
        "--to", action="append", required=True, metavar="ROLE", help="who may decide then; may be given several times"
    )
    escalate.add_argument(
        "--expires",
        type=age,
        metavar="AGE",
        help="how long it waits from now on, such as 2d (default: as long as before)",
    )
    _deciding(escalate)


def _deciding(parser: argparse.ArgumentParser) -> None:
    _session(parser)
    parser.add_argument("approval", nargs="?", metavar="ID", help=_APPROVAL)
    _writes(parser)
    parser.add_argument("--by", metavar="NAME", help="who decides; it is recorded (default: your user name)")
    parser.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help="a role that you have; may be given several times"
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="words for the record")
    as_json(parser, "the approval as it is then")


def _add_sending(commands: Commands) -> None:
    steer = _command(commands, "steer", "tell a running session something", 'order-42 "Leave the eggs out."')
    _session(steer)
    steer.add_argument("text", metavar="TEXT", help="what its next model call shall see")
    steer.add_argument(
        "--follow-up", action="store_true", help="only once it has answered; it goes on then instead of ending its turn"
    )
    _writes(steer)

    cancel = _command(commands, "cancel", "end the open turn of a session", 'order-42 --cause "not needed any more"')
    _session(cancel)
    _writes(cancel)
    cancel.add_argument("--cause", default="cancelled", metavar="TEXT", help="why; it is recorded")
    cancel.add_argument(
        "--gently", action="store_true", help="before its next step, instead of now; return once it has been told"
    )
    cancel.add_argument(
        "--wait", type=seconds, default=10.0, metavar="S", help="how long to wait until it has ended (default 10)"
    )


def _session(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION", help=_SESSION)


def _writes(parser: argparse.ArgumentParser) -> None:
    store(parser)
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help="the key that the store is kept with, if there is one"
    )
