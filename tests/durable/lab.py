"""Where sessions are killed: a store, a nursery, and trials that are judged together in the end."""

import random
import time
from itertools import count
from pathlib import Path

import anyio
import attrs
from durable import checks, points
from durable.opening import WAITS, open_place
from durable.script import Scene

_ATTEMPTS = 12


@attrs.define(kw_only=True)
class Trial:
    """One session, and the processes that worked at it."""

    lab: "Lab"
    scene: Scene
    about: str = ""
    """What is done to it, in words."""
    kills: int = 0
    problems: list[str] = attrs.field(factory=list)
    acks: list[str] = attrs.field(factory=list)
    took_s: float = 0.0

    def start(self, work="play", *, at="", listing="", backend=None, **changes):
        """Start a process that works at the session."""
        acks = str(self.lab.folder / f"{self.scene.session}.acks{len(self.acks)}")
        self.acks.append(acks)
        scene = attrs.asdict(attrs.evolve(self.scene, **changes))
        return self.lab.nursery.start(
            work, backend or self.lab.backend, place=self.lab.place, scene=scene, acks=acks, at=at, listing=listing
        )

    def attempt(self, work="play", *, after_s=None, **options):
        """Let a process work until it ends, is killed by itself at a point, or by us after a time."""
        began = time.monotonic()
        child = self.start(work, **options)
        if after_s is not None:
            time.sleep(max(0.0, after_s - (time.monotonic() - began)))
            child.kill()
        try:
            status = child.wait()
        except TimeoutError as error:
            self.problems.append(f"{work} hangs: {error}")
            return None
        self.took_s = time.monotonic() - began
        if status == -9:
            self.kills += 1
        elif status not in (0, WAITS):
            self.problems.append(f"{work} ended with {status}: {child.stderr}")
        return status

    def finish(self, **options):
        """Let processes that nobody kills bring the session to its end."""
        for _ in range(_ATTEMPTS):
            status = self.attempt(**options)
            if status == WAITS:
                status = self.attempt("approve")
            elif status == 0 or self.problems:
                return
        self.problems.append("it does not come to its end")


class Lab:
    """Trials on one store and one event loop."""

    def __init__(self, nursery, place, backend, folder, wanted=None):
        self.nursery = nursery
        self.place = place
        self.backend = backend
        self.folder = Path(folder)
        self.trials = []
        self._names = count(1)
        self.wanted = wanted
        """How a session looks that nobody has disturbed."""

    def trial(self, about="", **variant):
        """Begin a trial with a session of its own."""
        name = f"s{next(self._names)}"
        scene = Scene(session=name, ledger=str(self.folder / f"{name}.ledger"), **variant)
        trial = Trial(lab=self, scene=scene, about=about)
        self.trials.append(trial)
        return trial

    def undisturbed(self, **variant):
        """Run the script without a kill; return the points that it reached, and how long it took in seconds."""
        self.observe([])  # makes the tables
        listing = str(self.folder / f"points{next(self._names)}")
        trials = [self.trial("undisturbed", **variant) for _ in range(3)]
        for trial in trials:
            status = trial.attempt(listing=listing if trial is trials[0] else "")
            if status != 0:
                raise RuntimeError(f"the script does not even run undisturbed: {status}, {trial.problems}")
        self.wanted = self.wanted or self.observe(trials[:1])[0]
        return points.read(listing), min(trial.took_s for trial in trials[1:])

    def observe(self, trials):
        """Look at the sessions of trials."""

        async def look():
            async with open_place(self.place) as store:
                return [
                    await checks.observe(
                        store, trial.scene.session, ledger_file=trial.scene.ledger, acks=tuple(trial.acks)
                    )
                    for trial in trials
                ]

        return anyio.run(look)

    def judge(self):
        """Return what is wrong with each trial, as ``(trial, sentences)``, for those with which anything is."""
        bad = []
        for trial, seen in zip(self.trials, self.observe(self.trials), strict=True):
            found = [*trial.problems, *checks.violations(seen, self.wanted, kills=trial.kills)]
            if found:
                bad.append((trial, found))
        return bad

    @property
    def kills(self):
        """How many processes were killed."""
        return sum(trial.kills for trial in self.trials)


def told(bad):
    """Put the verdict of a lab into words."""
    return "\n".join(
        f"{trial.scene.session} ({trial.about}; {trial.kills} kills):\n    " + "\n    ".join(found)
        for trial, found in bad
    )


# --- what is done to sessions ----------------------------------------------------------------------------------


def one_of_each(points):
    """Return the middle one of the points of each name."""
    names = {}
    for point in points:
        names.setdefault(point.split("#")[0], []).append(point)
    return [all_[len(all_) // 2] for all_ in names.values()]


def sweep(lab, names, **variant):
    """Kill a process at each of these points, once each; another one goes on."""
    for index, point in enumerate(names):
        trial = lab.trial(f"killed at {point}", how=("resume", "recover")[index % 2], **variant)
        trial.attempt(at=point)
        trial.finish()


def sweep_twice(lab, names, again, **variant):
    """Kill a process at a point, the one that goes on at another, for each pair; a third one goes on."""
    for index, (first, second) in enumerate(zip(names, again, strict=True)):
        trial = lab.trial(f"killed at {first}, then at {second}", how=("resume", "recover")[index % 2], **variant)
        trial.attempt(at=first)
        trial.attempt(at=second)
        trial.finish()


def kill_at_random(lab, times, seed, took_s, *, twice=True, **variant):
    """Kill processes at random instants within the time that the script takes; every other session twice in a row."""
    for number in range(times):
        instants = random.Random(f"{seed} {number}")
        delays = [instants.uniform(0, took_s) for _ in range(1 + (twice and number % 2))]
        words = ", ".join(f"{delay * 1e3:.2f} ms" for delay in delays)
        how = ("resume", "recover")[instants.randrange(2)]
        approves = instants.random() < 0.7
        about = f"seed {seed} {number}: killed after {words}"
        trial = lab.trial(about, **{"how": how, "approves": approves, "stream": number % 3 == 0, **variant})
        for delay in delays:
            if trial.attempt(after_s=delay) == WAITS:
                trial.attempt("approve", after_s=instants.uniform(0, took_s / 4))
        trial.finish()
