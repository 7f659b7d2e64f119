"""What the policy of a subscriber and the options of a bus refuse."""

import pytest

from par import Runtime
from par.bus import BusOptions, DeliveryPolicy, MemoryDeadLetters

SECONDS = ["timeout_s", "base_s", "max_delay_s"]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        DeliveryPolicy(**{name: value})


@pytest.mark.parametrize("name", [*SECONDS, "queue", "retries", "jitter"])
@pytest.mark.parametrize("value", ["1", None])
def test_another_type_is_refused(name, value):
    with pytest.raises(TypeError, match=name):
        DeliveryPolicy(**{name: value})


@pytest.mark.parametrize("name", [*SECONDS, "queue", "retries"])
def test_true_is_no_number(name):
    with pytest.raises(TypeError, match=name):
        DeliveryPolicy(**{name: True})


@pytest.mark.parametrize(("name", "value"), [("queue", 0), ("retries", -1), ("when_full", "wait")])
def test_a_value_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=name):
        DeliveryPolicy(**{name: value})


@pytest.mark.parametrize("facts", [{"drain_s": 0}, {"pending_letters": 0}])
def test_options_out_of_range_are_refused(facts):
    with pytest.raises(ValueError, match=next(iter(facts))):
        BusOptions(**facts)


@pytest.mark.parametrize("value", [3, MemoryDeadLetters])
def test_a_place_for_letters_that_is_none_is_refused(value):
    with pytest.raises(TypeError, match="dead_letters"):
        Runtime(bus=BusOptions(dead_letters=value))


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (True, TypeError), ("1", TypeError)])
def test_a_limit_of_the_memory_that_is_none_is_refused(value, error):
    with pytest.raises(error, match="limit"):
        MemoryDeadLetters(value)
