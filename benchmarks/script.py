"""What the fake models do: a number of steps with some tool calls each, then a final word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Script:
    """``steps`` turns of ``parallel`` calls of the tool ``t0``, then the text ``done``."""

    steps: int = 10
    parallel: int = 1

    @property
    def final(self) -> str:
        return "done"

    def turn(self, results: int) -> list[tuple[str, str, str]] | None:
        """Return the calls (id, tool, JSON arguments) of the next turn; ``None`` for the final text."""
        step = results // self.parallel
        if step >= self.steps:
            return None
        return [(f"call_{step}_{n}", "t0", f'{{"x": {n}}}') for n in range(self.parallel)]
