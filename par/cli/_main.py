"""Read the command line, run what it asks for, and say in the exit code how that went."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio

from par.cli._settings import audit_file, default_model, environment, repository
from par.errors import ChainBroken, MissingExtra, ParError, UsageError

__all__ = ["main"]

_EXIT = """\
exit codes:
  0  done
  1  the run or the command failed
  2  the command line or the configuration is wrong
  3  the audit chain is broken
  130  interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``par`` and return its exit code. Errors are one line on standard error, never a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        return anyio.run(_command(arguments))
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:
        return 1
    except ChainBroken as error:
        return _complain(str(error), 3)
    except UsageError as error:
        return _complain(str(error), 2)
    except (ParError, OSError) as error:
        return _complain(str(error), 1)


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"par: {text}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="par",
        description="LLM agents with a full chain of guards, a safe shell and an audit that can be verified.",
        epilog=_EXIT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"par {version('par-sdk')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="answer a question about the repository that you stand in")
    _run_options(demo)

    run = commands.add_parser("run", help="answer a question about a folder")
    run.add_argument("question", help="what you want to know")
    run.add_argument("--session", metavar="NAME", help="record under this session instead of a new one")
    _run_options(run)

    audit = commands.add_parser("audit", help="verify or read the audit file")
    audits = audit.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    verify = audits.add_parser("verify", help="check the hash chain of every session")
    _audit_options(verify)
    tail = audits.add_parser("tail", help="print the last events")
    _audit_options(tail)
    tail.add_argument("-n", "--count", type=_positive, default=20, metavar="N", help="how many (default 20)")
    tail.add_argument("--json", action="store_true", help="one JSON object a line, with all contents")
    return parser


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
    parser.add_argument("--timeout", type=_seconds, metavar="S", help="end the run after S seconds")


def _audit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, nargs="?", help="the audit file (default: in your folder for state)")
    parser.add_argument("--session", metavar="NAME", help="this session alone")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds greater than 0")
    return seconds


def _command(arguments: argparse.Namespace) -> Callable[[], Coroutine[object, object, int]]:
    try:
        # here, so that a missing extra is told in one line
        from rich.console import Console  # noqa: PLC0415

        from par.cli._audit import tail, verify  # noqa: PLC0415
        from par.cli._run import DEMO_QUESTION, RunOptions, answer_question  # noqa: PLC0415
        from par.cli._screen import Screen  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise MissingExtra("cli", "rich") from None
    env = environment()
    out = Console(soft_wrap=True)
    if arguments.command == "audit":
        file: Path = arguments.file or audit_file(env)
        if arguments.audit_command == "verify":
            return partial(verify, file, arguments.session, out)
        return partial(tail, file, arguments.session, arguments.count, out, as_json=arguments.json)
    options = RunOptions(
        question=DEMO_QUESTION if arguments.command == "demo" else arguments.question,
        model=arguments.model or default_model(env),
        workspace=arguments.workspace or repository(Path.cwd()),
        audit=arguments.audit or audit_file(env),
        session=None if arguments.command == "demo" else arguments.session,
        timeout_s=arguments.timeout,
    )
    return partial(answer_question, options, Screen(out, Console(stderr=True, soft_wrap=True)))
