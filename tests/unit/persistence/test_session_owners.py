"""Who an owner is, whether it lives, and how long its right holds."""

import os
import subprocess
import sys

import attrs
import pytest
from support.session_log import Hands

from par._clock import Clock
from par.persistence._processes import fate_among_machines, name_of, new_name, this_machine
from par.persistence._sessions_owner import Held, term_of


def held(hands, lease_s=30.0, owner="me"):
    term = term_of(hands.machine, hands.clock, lease_s)
    return Held(owner, term.until, term.us, term.boot)


def test_each_name_in_a_process_is_another_one_and_its_process_lives():
    machine = this_machine(Clock())
    one, two = new_name(machine), new_name(machine)

    assert one != two
    assert [machine.is_alive(name) for name in (one, two)] == [True, True]


def test_people_read_the_process_and_the_host():
    name = new_name(this_machine(Clock()))

    assert name_of(name).startswith(f"{os.getpid()} on ")
    assert name_of("somebody else") == "somebody else"


def test_the_name_of_a_process_that_has_ended_is_known_to_be_dead():
    code = (
        "from par._clock import Clock; from par.persistence._processes import new_name, this_machine as m;"
        "print(new_name(m(Clock())))"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    assert this_machine(Clock()).is_alive(ended) is False


@pytest.mark.parametrize("name", ["", "somebody", "a b c d", "- - x - n h", "{boot} another-space 1 1 n h"])
def test_nothing_is_known_of_who_is_no_process_here(name):
    machine = this_machine(Clock())

    assert fate_among_machines(machine)(name.format(boot=machine.boot)) is None


def test_a_machine_that_was_started_anew_has_no_process_of_before_unless_it_may_be_another_one():
    machine = this_machine(Clock())
    if not machine.boot:
        pytest.skip("the system does not say when it was started")
    before = new_name(attrs.evolve(machine, me=machine.me.replace(machine.boot, "another-boot")))

    assert machine.is_alive(before) is False
    assert fate_among_machines(machine)(before) is None


@pytest.mark.parametrize("years", [1, -1])
def test_setting_the_time_of_day_changes_no_lease(years):
    hands = Hands()
    lease = held(hands)
    hands.now = hands.now.replace(year=hands.now.year + years)

    assert lease.left_s(hands.machine, hands.clock) == 30


@pytest.mark.parametrize("boot", ["", "another"])
def test_where_the_steady_clock_is_another_one_the_time_of_day_tells(boot):
    hands = Hands()
    lease = held(hands)
    hands.boot = boot
    hands.us = 0
    hands.pass_s(20)

    assert lease.left_s(hands.machine, hands.clock) == pytest.approx(10)
    hands.pass_s(20)
    assert lease.left_s(hands.machine, hands.clock) == 0


def test_a_lease_of_a_machine_without_a_name_is_told_by_the_time_of_day():
    hands = Hands(boot="")
    lease = held(hands)
    hands.us += 10**12

    assert lease.left_s(hands.machine, hands.clock) == 30


def test_a_dead_owner_and_none_at_all_hold_nothing():
    hands = Hands()
    lease = held(hands)
    hands.dead.add("me")

    assert lease.left_s(hands.machine, hands.clock) == 0
    assert Held("you", None, lease.us, lease.boot).left_s(hands.machine, hands.clock) == 0
