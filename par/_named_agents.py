"""The agents that a runtime finds by name, to go on with what another process began."""

from collections.abc import Sequence
from typing import Never, cast, final

from par._agent import Agent
from par.errors import UsageError
from par.sessions import SessionInfo

__all__ = ["NamedAgents"]


@final
class NamedAgents:
    """Agents by name. Their deps are for whoever resumes a session to know.

    Raises:
        UsageError: for two agents of one name.
    """

    def __init__(self, agents: Sequence[Agent[Never, object]]) -> None:
        self._agents: dict[str, Agent[Never, object]] = {}
        for agent in agents:
            if agent.name in self._agents:
                raise UsageError(f"two agents are called {agent.name!r}: sessions are resumed by the agent's name")
            self._agents[agent.name] = agent

    def of(self, info: SessionInfo) -> Agent[object, object]:
        """Return the agent that took the session's last turn.

        Raises:
            UsageError: if it is not here.
        """
        found = self._agents.get(info.agent)
        if found is None:
            known = ", ".join(sorted(self._agents)) or "none"
            raise UsageError(
                f"session {info.id!r} is of the agent {info.agent!r}, and Runtime(agents=...) knows: {known}"
            )
        return cast("Agent[object, object]", found)  # see the class
