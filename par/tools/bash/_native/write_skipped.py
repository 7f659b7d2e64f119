"""What a command left out, and why: counted, with a few examples."""

from typing import final

from par.tools.bash._native.write_place import shown

__all__ = ["Skipped"]

_EXAMPLES = 5


@final
class Skipped:
    """Collects names by the reason for which they were left out."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, reason: str, name: str) -> None:
        """Take a name."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        names = self._names.setdefault(reason, [])
        if len(names) < _EXAMPLES:
            names.append(name)

    def notes(self, words: str) -> tuple[str, ...]:
        """Return a note for each reason, beginning with ``words``."""
        return tuple(
            f"{words}: {', '.join(map(shown, names))}"
            + (f" and {self._counts[reason] - len(names)} more" if self._counts[reason] > len(names) else "")
            + f" ({reason})."
            for reason, names in self._names.items()
        )
