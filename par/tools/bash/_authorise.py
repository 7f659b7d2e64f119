"""Whether a command may run now: the policy, then the wall that it needs, then the person who is asked."""

import hashlib
import os
from collections.abc import Sequence
from functools import partial
from typing import Final, final

import attrs

from par._json import JsonObject
from par.approvals import ApprovalRequest, Approved, Approver, MayWait, decide, shown
from par.errors import CommandRefused
from par.outcomes import NeedsApproval
from par.tools.bash._commands.running import RunPython
from par.tools.bash._commands.table import Command, command_to_json
from par.tools.bash._native.interrupt import chunks, in_thread
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._policy.decide import Ask, Deny
from par.tools.bash._walls.choose import best_wall
from par.tools.bash._walls.values import Wall

__all__ = ["Asker", "Asking", "Authoriser", "Permit"]

_PROMPT: Final = 600
"""Characters of a command that a person is shown in one line; all of it stands in the request."""


@attrs.frozen(kw_only=True)
class Permit:
    """That a command may run, once: the wall around it, who approved, and what the approval is bound to."""

    wall: Wall | None = None
    approved_by: str | None = None
    script_sha256: str | None = None


@attrs.frozen(kw_only=True)
class Asker:
    """Who is asked, for how long, and how long a call waits where nobody can be asked now."""

    approve: Approver | None
    timeout_s: float | None
    expires_s: float | None


@attrs.frozen(kw_only=True)
class Asking:
    """The call for which a command asks."""

    ctx: MayWait
    call_id: str
    given: JsonObject | None = None
    """The arguments as they were sent; ``None`` if the program runs the command, which cannot wait then."""


@final
class Authoriser:
    """Decides for one ``Bash``."""

    def __init__(self, room: Room, asker: Asker, *, walls: Sequence[Wall] | None) -> None:
        self._room = room
        self._asker = asker
        self._walls = walls
        self._wall: Wall | None = None
        self._looked = False

    async def permit(self, command: Command, asking: Asking) -> Permit | NeedsApproval:
        """Return the permission to run ``command``, or what it waits for.

        Raises:
            CommandRefused: ``denied_by_policy`` and other codes of the policy, ``wall_missing``, ``approval_denied``.
        """
        decision = self._room.policy.decide(command)
        if isinstance(decision, Deny):
            raise CommandRefused(decision.code, decision.reason, field=decision.field, remedy=decision.remedy)
        wall = await self._wall_for(command)
        script = await self._script(command)
        if not isinstance(decision, Ask):
            return Permit(wall=wall, script_sha256=script)
        by = await self._asked(command, decision, asking, wall=wall, script=script)
        return by if isinstance(by, NeedsApproval) else Permit(wall=wall, approved_by=by, script_sha256=script)

    async def _wall_for(self, command: Command) -> Wall | None:
        mode = self._room.policy.wall_for(command)
        if mode == "none":
            return None
        if not self._looked:
            self._wall, self._looked = await best_wall(self._walls), True
        if self._wall is None and mode == "require":
            effects = "/".join(self._room.policy.effects_of(command))
            raise CommandRefused(
                "wall_missing",
                f"{command.op} ({effects}) runs only behind a wall of the operating system, and none works here.",
                field="op",
                remedy="The host can install bubblewrap, or give the wall up by name in Policy(walls=...).",
            )
        return self._wall

    def _identity(self) -> str:
        with self._room.workspace.root() as root:
            facts = os.fstat(root)
        return f"{facts.st_dev}:{facts.st_ino}"

    async def _script(self, command: Command) -> str | None:
        if not isinstance(command, RunPython) or command.script is None:
            return None
        return await in_thread(partial(_hash, self._room, command.script))

    async def _asked(
        self, command: Command, decision: Ask, asking: Asking, *, wall: Wall | None, script: str | None
    ) -> str | NeedsApproval:
        details: JsonObject = {
            "reason": decision.reason,
            "wall": None if wall is None else wall.name,
            "bind": {"workspace": self._identity(), "script_sha256": script},
        }
        request = ApprovalRequest(
            tool="bash",
            call_id=asking.call_id,
            arguments={"command": command_to_json(command)},
            prompt=f"Run {shown(decision.summary, _PROMPT)}?",
            risk=self._room.policy.risk_of(command),
            effects=self._room.policy.effects_of(command),
            details=details,
        )
        answer = await decide(
            asking.ctx,
            _as_granted(request, asking),
            approver=self._asker.approve,
            timeout_s=self._asker.timeout_s,
            expires_s=self._asker.expires_s,
            waits=asking.given is not None and asking.ctx.can_suspend,
        )
        if isinstance(answer, Approved):
            return answer.by
        if isinstance(answer, NeedsApproval):
            return answer
        why = shown(answer.reason or "no reason was given", 300)
        raise CommandRefused(
            "approval_denied",
            f"{decision.reason} It needs an approval, and was not approved: {why}.",
            field="op",
            remedy="Do without it, or ask the user.",
        )


def _as_granted(request: ApprovalRequest, asking: Asking) -> ApprovalRequest:
    """Return the request as it was decided about: a person who changes arguments may write out what is usual."""
    grant = asking.ctx.grant
    if grant is None or asking.given is None:
        return request
    as_sent = attrs.evolve(request, arguments=asking.given)
    return request if grant.of(as_sent.key) is None else as_sent


def _hash(room: Room, path: str) -> str:
    found = hashlib.sha256()
    try:
        with room.workspace.open_file(path) as opened:
            room.allow_reading(opened)
            for chunk in chunks(opened.fd):
                found.update(chunk)
    except OSError as error:
        refuse_os_error(error, path, "script")
    return found.hexdigest()
