"""Ids are ULIDs, and those of one source only ever grow."""

from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from par._ids import UlidSource, new_ulid

NOW = 1_700_000_000_000


def source(times, random_bytes=lambda count: b"\x00" * count):
    clock = iter(times)
    return UlidSource(lambda: next(clock), random_bytes)


def test_a_new_ulid_is_valid_and_carries_the_time():
    before = UlidSource()
    ids = [before.next(), new_ulid(), UlidSource().next()]

    times = [ULID.from_str(text).milliseconds for text in ids]

    assert times == sorted(times)
    assert all(len(text) == 26 for text in ids)


def test_new_ulids_differ():
    assert len({new_ulid() for _ in range(1000)}) == 1000


def test_the_time_of_the_clock_is_in_the_id():
    assert ULID.from_str(source([NOW]).next()).milliseconds == NOW


def test_the_random_part_comes_from_the_given_source():
    first = source([NOW], lambda count: b"\x10" * count).next()
    second = source([NOW], lambda count: b"\x20" * count).next()

    assert first != second
    assert first[:10] == second[:10]


def test_ids_of_one_millisecond_grow():
    ids = source(repeat(NOW))
    made = [ids.next() for _ in range(1000)]

    assert made == sorted(set(made))


def test_ids_grow_when_the_clock_steps_back():
    ids = source([NOW, NOW - 5000, NOW - 1, NOW, NOW + 1])
    made = [ids.next() for _ in range(5)]

    assert made == sorted(set(made))


def test_a_full_random_part_carries_into_the_time():
    ids = source(repeat(NOW), lambda count: b"\xff" * count)
    ids.next()
    ids._tail = (1 << 80) - 2  # after 2**79 ids of one millisecond

    last, over, after = ids.next(), ids.next(), ids.next()

    assert ULID.from_str(last).milliseconds == NOW
    assert ULID.from_str(over).milliseconds == NOW + 1
    assert last < over < after


def test_the_largest_random_number_leaves_room_to_count():
    ids = source(repeat(NOW), lambda count: b"\xff" * count)

    assert ids.next() < ids.next()


@pytest.mark.parametrize("now", [0, -1, -NOW])
def test_a_clock_before_1970_makes_valid_ids_too(now):
    ids = source(chain([now, now], repeat(NOW)))
    made = [ids.next() for _ in range(3)]

    assert made == sorted(set(made))
    assert [ULID.from_str(text).milliseconds for text in made] == [0, 0, NOW]


@given(st.lists(st.integers(min_value=-5, max_value=50), min_size=1, max_size=60), st.binary(min_size=10, max_size=10))
def test_ids_are_valid_and_grow_whatever_the_clock_does(times, random):
    ids = source([NOW + time for time in times], lambda count: random)
    made = [ids.next() for _ in times]

    assert made == sorted(set(made))
    assert [str(ULID.from_str(text)) for text in made] == made
