"""Settings that the model refuses: dropped where its profile says so, an error elsewhere."""

from typing import final

from par.errors import UsageError
from par.providers._anthropic_profile import Droppable, Profile

__all__ = ["Refusals"]


@final
class Refusals:
    """Collects what is left out of one request, as pairs of a setting and the reason."""

    __slots__ = ("_drops", "_model", "dropped", "thinks")

    def __init__(self, model: str, profile: Profile) -> None:
        self._model = model
        self._drops = profile.drops
        self.dropped: list[tuple[Droppable, str]] = []
        self.thinks = False
        """Whether the request turns thinking on."""

    def refuse(self, setting: Droppable, reason: str) -> None:
        """Note that ``setting`` is left out; the caller leaves it out.

        Raises:
            UsageError: if the profile does not drop it.
        """
        if setting not in self._drops:
            raise UsageError(
                f"{self._model} refuses {setting}: {reason}. Leave it unset, or give the model a Profile that drops it"
            )
        self.leave_out(setting, reason)

    def leave_out(self, setting: Droppable, reason: str) -> None:
        """Note that ``setting`` is left out, whatever the profile says."""
        self.dropped.append((setting, reason))
