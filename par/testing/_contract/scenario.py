"""A scenario: a name, and a function that plays it with a provider."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from par.testing._contract.subject import Bench, Capability, ContractBroken, Subject
from par.testing._server.script import Script
from par.testing._server.seen import ApiName

__all__ = ["Play", "Scenario", "Stage", "scenario"]


@attrs.frozen(kw_only=True)
class Stage:
    """What a scenario is played with: a provider, whole or streamed."""

    subject: Subject
    stream: bool

    @property
    def api(self) -> ApiName:
        """The API that the provider speaks."""
        return self.subject.api

    def bench(self, script: Script) -> "AbstractAsyncContextManager[Bench]":
        """Put up a server that plays the script, and the model before it."""
        return Bench.put_up(self.subject, script, stream=self.stream)


Play: TypeAlias = Callable[[Stage], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Scenario:
    """One thing that every provider must do. ``await scenario(subject)`` plays it.

    It is played with whole and with streamed answers where both matter. ``needs`` is what a provider may lack: then the
    scenario is that it says so, or, for what cannot be said, nothing.
    """

    name: str
    about: str
    play: Play
    needs: Capability | None = None
    modes: tuple[bool, ...] = (False, True)

    async def __call__(self, subject: Subject) -> None:
        """Play it.

        Raises:
            ContractBroken: if the provider does something else than the contract says.
        """
        if self.needs is not None and not subject.has(self.needs) and not subject.must_refuse(self.needs):
            return
        for stream in self.modes:
            try:
                await self.play(Stage(subject=subject, stream=stream))
            except ContractBroken as broken:
                how = "streamed" if stream else "whole"
                raise ContractBroken(f"{self.name} ({how}): {broken}") from broken

    def __str__(self) -> str:
        return self.name


def scenario(*, needs: Capability | None = None, modes: tuple[bool, ...] = (False, True)) -> Callable[[Play], Scenario]:
    """Make a scenario of a function; its name and its docstring are the scenario's."""

    def make(play: Play) -> Scenario:
        name = getattr(play, "__name__", "")
        about = (play.__doc__ or "").strip()
        return Scenario(name=name, about=about, play=play, needs=needs, modes=modes)

    return make
