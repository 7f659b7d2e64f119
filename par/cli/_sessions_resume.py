"""``par sessions resume``: go on with what a process left, in this one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Never, cast

import attrs

from par import Agent
from par.approvals import shown
from par.calls import RunResult
from par.cli._audit_print import Printer
from par.cli._audit_store import Target
from par.cli._imported import imported
from par.cli._screen import Screen
from par.cli._sessions_store import open_sessions
from par.cli._sessions_words import as_text
from par.errors import NothingToResume, UsageError

__all__ = ["Resume", "resume", "resume_all"]

_FAILED: Final = 1
_WAITS: Final = 4
_CLIP: Final = 600


@attrs.frozen(kw_only=True)
class Resume:
    """What ``par sessions resume`` is asked to do."""

    session: str | None
    agents: tuple[str, ...]
    key_file: Path | None
    timeout_s: float | None
    wait_s: float | None
    migrate: bool


async def resume(target: Target, session: str, options: Resume, screen: Screen) -> int:
    """Go on with a session and show it; return 0 if it finished, 4 if it waits for a person, else 1."""
    agents = _agents(options.agents)
    agent = agents[0] if len(agents) == 1 else None
    async with open_sessions(target, key_file=options.key_file, agents=agents) as (_, rt):
        try:
            async with rt.resume_stream(
                session,
                agent,
                timeout_s=options.timeout_s,
                on_change="migrate" if options.migrate else "refuse",
                wait_s=options.wait_s,
            ) as stream:
                async for item in stream:
                    screen.show(item)
            result = stream.result
        except NothingToResume:
            result = await rt.resume(session, agent)
            screen.note("the last turn has ended already; this is what it came to")
    return _told(session, result, screen)


def _told(session: str, result: RunResult[object], screen: Screen) -> int:
    if result.stop_reason == "finished":
        screen.answer(as_text(result.output))
        return 0
    for need in result.approvals:
        screen.note(f"waits for a person: {need.approval_id} {shown(need.prompt, _CLIP)}")
    if result.approvals:
        screen.note(f"decide: par sessions approve {shown(session, _CLIP)} ID, or reject; then resume it again")
        return _WAITS
    screen.note(f"session {shown(session, _CLIP)}: {result.stop_reason}")
    return _FAILED


async def resume_all(target: Target, options: Resume, printer: Printer) -> int:
    """Go on with all that is due; return 1 if one of them failed."""
    if options.timeout_s is not None or options.wait_s is not None or options.migrate:
        raise UsageError("--timeout, --wait and --migrate are for one session: name it")
    failed = False
    async with open_sessions(target, key_file=options.key_file, agents=_agents(options.agents)) as (_, rt):
        for one in await rt.recover():
            session = shown(one.session, _CLIP)
            if one.result is not None and one.error is None:
                reason = one.result.stop_reason
                failed = failed or reason == "failed"
                printer.line(f"{session}: {reason}", "" if reason == "finished" else "yellow")
            else:
                failed = True
                printer.line(f"{session}: {_error(one.error)}", "red")
    return _FAILED if failed else 0


def _error(error: Exception | None) -> str:
    return "it was not told why" if error is None else f"{type(error).__name__}: {shown(str(error), _CLIP)}"


def _agents(names: Sequence[str]) -> tuple[Agent[Never, object], ...]:
    found: list[Agent[Never, object]] = []
    for name in names:
        agent = imported(name, "the agent", "MODULE:NAME")
        if not isinstance(agent, Agent):
            raise UsageError(f"the agent {name!r} is no Agent, but of the type {type(agent).__name__}")
        found.append(cast("Agent[Never, object]", agent))  # its deps are checked when it runs
    return tuple(found)
