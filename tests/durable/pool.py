"""Many sessions in a few processes, of which one is killed again and again."""

import random
import time
from pathlib import Path

import anyio
import attrs
from durable import checks
from durable.opening import open_place

HOSTS = 3


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of the sessions."""

    kills: int
    problems: list[str]
    words: str


def carry(lab, number, *, seed, between_s=(0.1, 0.5), pause_s=0.002, within_s=240):
    """Let hosts carry so many sessions to their ends, and kill one of them every ``between_s`` seconds."""
    draw = random.Random(seed)
    folder = Path(lab.folder) / "ledgers"
    folder.mkdir()
    names = [f"box{one}" for one in range(number)]
    began = time.monotonic()
    hosts, acks, problems, kills = [], [], [], 0

    def start(sessions):
        acks.append(Path(lab.folder) / f"host{len(acks)}.acks")
        return lab.nursery.start(
            "host",
            lab.backend,
            place=lab.place,
            folder=str(folder),
            sessions=sessions,
            acks=str(acks[-1]),
            seed=seed + len(acks),
            pause_s=pause_s,
        )

    start(["undisturbed"]).succeed()
    hosts = [start(names) for _ in range(HOSTS)]
    while not any(host.ended and host.status == 0 for host in hosts):
        if time.monotonic() - began > within_s:
            problems.append(f"the sessions have not ended after {within_s} s")
            break
        time.sleep(draw.uniform(*between_s))
        victim = draw.randrange(HOSTS)
        hosts[victim].kill()
        hosts[victim].wait()
        kills += hosts[victim].status == -9
        if hosts[victim].status != 0:
            if hosts[victim].status != -9:
                problems.append(f"a host ended with {hosts[victim].status}: {hosts[victim].stderr}")
            hosts[victim] = start(names)
    for host in hosts:
        if problems:
            host.kill()
        if host.wait() not in (0, -9):
            problems.append(f"a host ended with {host.status}: {host.stderr}")
    took_s = time.monotonic() - began
    for file in acks:
        problems += [str(ack) for ack in checks.read_acks(file) if ack["what"] == "error"]
    problems += judge(lab, ["undisturbed", *names], folder, kills)
    words = f"{number} sessions of 10 steps, {kills} kills of {len(acks) - 1} hosts, {len(problems)} problems ({took_s:.0f} s)"
    return Outcome(kills=kills, problems=problems, words=words)


def judge(lab, names, folder, kills):
    """Return what is wrong with the sessions, the first of which was not disturbed."""

    async def look():
        async with open_place(lab.place) as store:
            return [await checks.observe(store, name, ledger_file=folder / name) for name in names]

    wanted, *seen = anyio.run(look)
    return [f"{one.session}: {sentence}" for one in seen for sentence in checks.violations(one, wanted, kills=kills)]
