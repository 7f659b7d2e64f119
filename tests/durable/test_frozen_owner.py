"""An owner that is frozen for longer than its lease: another takes over, and the first one can do nothing any more."""

import signal
import time

import attrs
import pytest
from durable import checks, ledger

LEASE_S = 0.5


@pytest.mark.timeout(120)
@pytest.mark.parametrize("at", ["before model#2", "after effect#3", "after model#3"])
def test_a_frozen_owner_writes_nothing_once_another_has_taken_over(lab, at):
    lab.undisturbed()
    trial = lab.trial(f"frozen at {at}", lease_s=LEASE_S, pause_s=0.15)
    frozen = lab.folder / "frozen"
    acks = lab.folder / "owner.acks"
    owner = lab.nursery.start(
        "freeze", lab.backend, place=lab.place, scene=scene_of(trial), acks=str(acks), at=at, frozen=str(frozen)
    )
    while not frozen.exists() and not owner.ended:
        time.sleep(0.001)
    owner.signal(signal.SIGSTOP)
    time.sleep(LEASE_S * 1.5)

    trial.finish(pause_s=0.001)
    before = ledger.read(trial.scene.ledger)
    owner.signal(signal.SIGCONT)

    assert owner.wait() == 0, owner.stderr
    assert [ack for ack in checks.read_acks(acks) if ack["what"] in ("refused", "not refused")] == [
        {"what": "refused", "error": "LeaseLost"}
    ]
    trial.kills += 1  # what was at work when it froze may be unknown
    trial.acks.append(str(acks))
    assert lab.judge() == []
    after = ledger.read(trial.scene.ledger)[len(before) :]
    assert [entry for entry in after if entry.what != "end"] == []


def scene_of(trial):
    return attrs.asdict(trial.scene)
