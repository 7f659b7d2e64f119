"""An owner that is frozen for longer than its lease: another takes over, and the first one can do nothing any more."""

import signal
import time

import attrs
import pytest
from durable import checks, ledger
from durable.lab import told

LEASE_S = 0.3


def frozen_owner(lab, at):
    """Start a process that is frozen at a point; let another one take its session over and end it."""
    trial = lab.trial(f"frozen at {at}", lease_s=LEASE_S)
    frozen, acks = lab.folder / "frozen", str(lab.folder / "owner.acks")
    owner = lab.nursery.start(
        "freeze", lab.backend, place=lab.place, scene=attrs.asdict(trial.scene), acks=acks, at=at, frozen=str(frozen)
    )
    while not frozen.exists() and not owner.ended:
        time.sleep(0.001)
    trial.finish()  # waits until the lease has run out, for the owner is alive
    trial.acks.append(acks)
    return trial, owner


@pytest.mark.timeout(120)
@pytest.mark.parametrize("at", ["before model#2", "after read effect#1", "after model#3", "after idempotent effect#2"])
def test_a_frozen_owner_writes_nothing_and_does_nothing_more_once_another_has_taken_over(either_lab, at):
    trial, owner = frozen_owner(either_lab, at)
    before = ledger.read(trial.scene.ledger)

    owner.signal(signal.SIGCONT)

    assert owner.wait() == 0, owner.stderr
    assert [ack for ack in checks.read_acks(trial.acks[-1]) if ack["what"] in ("refused", "not refused")] == [
        {"what": "refused", "error": "LeaseLost"}
    ]
    assert told(either_lab.judge()) == ""
    after = ledger.read(trial.scene.ledger)[len(before) :]
    assert [entry for entry in after if entry.what != "end"] == []


@pytest.mark.timeout(120)
def test_a_tool_that_was_at_work_when_its_owner_froze_is_reported_and_not_called_again(either_lab):
    trial, owner = frozen_owner(
        either_lab, "before probed effect#1"
    )  # within a batch of four, with one that can be looked for
    owner.signal(signal.SIGCONT)

    assert owner.wait() == 0, owner.stderr
    trial.kills = 1  # what was at work may be unknown
    assert told(either_lab.judge()) == ""
