"""The cache of wire forms."""

from par.providers._wire_cache import WireCache


class Message:
    pass


def counting():
    built = []

    def build(message):
        built.append(message)
        return [message]

    return WireCache(build), built


def test_a_form_is_built_once_and_handed_out_again():
    cache, built = counting()
    message = Message()

    assert cache.get(message) is cache.get(message)
    assert built == [message]


def test_it_holds_no_more_than_two_generations():
    cache, _ = counting()

    for _ in range(5000):
        cache.get(Message())

    assert len(cache._new) + len(cache._old) <= 1024


def test_a_message_in_use_survives_the_change_of_generations():
    cache, built = counting()
    kept = Message()

    for _ in range(5000):
        cache.get(kept)
        cache.get(Message())

    assert built.count(kept) == 1


def test_a_message_that_is_no_longer_used_is_forgotten():
    cache, built = counting()
    message = Message()
    cache.get(message)

    for _ in range(2000):
        cache.get(Message())
    cache.get(message)

    assert built.count(message) == 2
