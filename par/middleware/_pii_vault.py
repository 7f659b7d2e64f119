"""Reversible masking: made-up values of the same form, and the way back."""

from collections import OrderedDict
from collections.abc import Mapping
from random import Random, SystemRandom
from typing import final

from par.middleware._pii_detector import Detector

__all__ = ["Vault", "VaultSession"]

_TRIES = 100


@final
class VaultSession:
    """The made-up values of one session, in both directions."""

    def __init__(self, rng: Random, max_entries: int) -> None:
        self._rng = rng
        self._max_entries = max_entries
        self._made: dict[str, str] = {}
        self._real: dict[str, str] = {}
        self._firsts: set[str] = set()
        self._longest = 0
        self._number = 0

    @property
    def real(self) -> Mapping[str, str]:
        """What each made-up value stands for."""
        return self._real

    def knows(self, text: str) -> bool:
        """Tell whether ``text`` is a made-up value of this session."""
        return text in self._real

    def replace(self, detector: Detector, value: str) -> str:
        """Return the made-up value that stands for ``value``, always the same."""
        made = self._made.get(value)
        if made is None:
            made = self._fresh(detector, value)
            if len(self._made) >= self._max_entries:
                oldest = next(iter(self._made))
                del self._real[self._made.pop(oldest)]
            self._made[value] = made
            self._real[made] = value
            self._firsts.add(made[0])
            self._longest = max(self._longest, len(made))
        return made

    def _fresh(self, detector: Detector, value: str) -> str:
        for _ in range(_TRIES):
            made = detector.surrogate(value, self._rng)
            if made and made != value and made not in self._real and made not in self._made:
                return made
        self._number += 1  # the form has no room for another value
        return f"[{detector.kind}_{self._number}]"

    def restore(self, text: str) -> str:
        """Return ``text`` with the real values; the same object if there are none in it."""
        spans = self._spans(text)
        if not spans:
            return text
        pieces: list[str] = []
        done = 0
        for start, end, real in spans:
            if start >= done:
                pieces += (text[done:start], real)
                done = end
        return "".join(pieces) + text[done:]

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        spans: list[tuple[int, int, str]] = []
        for made, real in self._real.items():
            at = text.find(made)
            while at >= 0:
                spans.append((at, at + len(made), real))
                at = text.find(made, at + len(made))
        return sorted(spans, key=lambda span: (span[0], -span[1]))

    def open_tail(self, text: str) -> int:
        """Return where in ``text`` a made-up value may have begun that is not all there yet; its length if none."""
        size = len(text)
        for start in range(max(0, size - self._longest + 1), size):
            if text[start] in self._firsts:
                tail = text[start:]
                if any(made.startswith(tail) and made != tail for made in self._real):
                    # what looks like a beginning may be the end of one that is all there
                    return max([start, *(end for begin, end, _ in self._spans(text) if begin < start < end)])
        return size


@final
class Vault:
    """Keeps, in memory and per session, which made-up value stands for which real one.

    Hand one to several ``PiiMask`` objects to let their agents share it. Nothing of it is ever stored or told.
    When a bound is reached, what is oldest is forgotten: its made-up values then stay where they are.

    Raises:
        ValueError: for bounds below 1.
    """

    def __init__(self, *, max_sessions: int = 1_000, max_entries: int = 10_000, rng: Random | None = None) -> None:
        for name, value in (("max_sessions", max_sessions), ("max_entries", max_entries)):
            if isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.max_sessions = max_sessions
        """How many sessions are kept."""
        self.max_entries = max_entries
        """How many values are kept for each."""
        self._rng = rng or SystemRandom()
        self._sessions: OrderedDict[str, VaultSession] = OrderedDict()

    def session(self, session_id: str) -> VaultSession:
        """Return the values of a session, new if it is not known."""
        found = self._sessions.get(session_id)
        if found is None:
            found = self._sessions[session_id] = VaultSession(self._rng, self.max_entries)
            if len(self._sessions) > self.max_sessions:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(session_id)
        return found
