"""Read the command line, run what it asks for, and say in the exit code how that went."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path

import anyio

from par.cli._arguments import parser
from par.cli._settings import audit_file, default_model, environment, repository
from par.errors import ApprovalRefused, ChainBroken, MissingExtra, ParError, UsageError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``par`` and return its exit code. Errors are one line on standard error, never a traceback."""
    arguments = parser().parse_args(argv)
    try:
        return anyio.run(_command(arguments))
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except BrokenPipeError:
        return 1
    except ChainBroken as error:
        return _complain(str(error), 3)
    except ApprovalRefused as error:  # the command line is right, and this is no matter of it
        return _complain(str(error), 1)
    except UsageError as error:
        return _complain(str(error), 2)
    except (ParError, OSError) as error:
        return _complain(str(error), 1)


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"par: {text}\n")
    return code


def _command(arguments: argparse.Namespace) -> Callable[[], Coroutine[object, object, int]]:
    try:
        # here, so that a missing extra is told in one line
        from rich.console import Console  # noqa: PLC0415

        from par.cli._audit import audit_command  # noqa: PLC0415
        from par.cli._bash import bash_command  # noqa: PLC0415
        from par.cli._run import DEMO_QUESTION, RunOptions, answer_question  # noqa: PLC0415
        from par.cli._screen import Screen  # noqa: PLC0415
        from par.cli._sessions import sessions_command  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        raise MissingExtra("cli", "rich") from None
    env = environment()
    out = Console(soft_wrap=True)
    if arguments.command == "bash":
        return bash_command(arguments, env, out)
    if arguments.command == "audit":
        return audit_command(arguments, env, out)
    err = Console(stderr=True, soft_wrap=True)
    if arguments.command == "sessions":
        return sessions_command(arguments, env, out, err)
    options = RunOptions(
        question=DEMO_QUESTION if arguments.command == "demo" else arguments.question,
        model=arguments.model or default_model(env),
        workspace=arguments.workspace or repository(Path.cwd()),
        audit=arguments.audit or audit_file(env),
        session=None if arguments.command == "demo" else arguments.session,
        timeout_s=arguments.timeout,
    )
    return partial(answer_question, options, Screen(out, err))
