"""The command line's words: commands, options and their help."""

import argparse
from importlib.metadata import version
from pathlib import Path

from par.cli._audit_arguments import add_audit_commands
from par.cli._sessions_arguments import add_sessions_commands
from par.cli._store_arguments import seconds

__all__ = ["parser"]

_EXIT = """\
exit codes:
  0  done
  1  the run or the command failed
  2  the command line or the configuration is wrong
  3  the audit chain is broken
  4  the session waits for a person's decision
  130  interrupted
"""


_BASH = """\
A command is a JSON object with the tag op; `par bash commands` lists them. Single quotes keep a shell from
reading it:  par bash check '{"op": "git_log", "max_count": 5}'
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="par",
        description="LLM agents with a full chain of guards, a safe shell and an audit that can be verified.",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"par {version('par-sdk')}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="answer a question about the repository that you stand in")
    _run_options(demo)

    run = commands.add_parser("run", help="answer a question about a folder")
    run.add_argument("question", help="what you want to know")
    run.add_argument("--session", metavar="NAME", help="record under this session instead of a new one")
    _run_options(run)

    add_sessions_commands(
        commands.add_parser("sessions", help="look at durable sessions, resume them, decide for them")
    )
    add_audit_commands(commands.add_parser("audit", help="read, verify, copy and clean what was recorded"))
    tool = commands.add_parser(
        "bash",
        help="check, run and list the commands of the bash tool",
        description=_BASH,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _bash_commands(tool)
    return whole


def _bash_commands(tool: argparse.ArgumentParser) -> None:
    parts = tool.add_subparsers(dest="bash_command", required=True, metavar="COMMAND")
    check = parts.add_parser("check", help="say whether a command may run, and what would be started; runs nothing")
    run = parts.add_parser("run", help="run a command; it is recorded in the audit file before and after")
    listing = parts.add_parser("commands", help="list the commands, each with an example")
    listing.add_argument("op", nargs="?", metavar="OP", help="this command alone, with its fields")
    for part in (check, run):
        part.add_argument(
            "json", metavar="JSON", help='the command, such as {"op": "git_status"}; - reads it from standard input'
        )
    for part in (check, run, listing):
        part.add_argument(
            "--policy",
            choices=("read_only", "coder", "execute"),
            default="execute" if part is listing else "read_only",
            help="read_only: what reads; coder: also what changes files and the repository; execute: also tests and "
            "scripts with this Python, behind a wall (default %(default)s)",
        )
    run.add_argument("--workspace", type=Path, metavar="DIR", help="the folder (default: the repository you stand in)")
    run.add_argument("--yes", action="store_true", help="approve of what needs an approval, instead of being asked")
    run.add_argument("--audit", type=Path, metavar="FILE", help="the audit file (default: in your folder for state)")
    run.add_argument("--json", action="store_true", dest="as_json", help="print the result as one JSON object")


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="PROVIDER:NAME",
        help="such as openai:gpt-5-mini; by default a provider whose key is set, else the offline model",
    )
    parser.add_argument(
        "--workspace", type=Path, metavar="DIR", help="the folder to look at (default: the repository you stand in)"
    )
    parser.add_argument("--audit", type=Path, metavar="FILE", help="the audit file (default: in your folder for state)")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="end the run after S seconds")
