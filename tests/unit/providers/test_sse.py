"""Reading server-sent events."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from par.providers._sse import SseEvent, SseReader

ODD = (
    "\ufeff: a comment\r\n"
    'event: one\r\ndata: {"a": "grüße 😀"}\r\n\r\n'
    "data:no space\n\n"
    "data: first\ndata: second\ndata:\n\n"
    "id: 7\nretry: 10\nunknown line\n\n"
    ": keep-alive\n\n"
    "event: two\rdata:  two spaces\r\r"
    "data\n\n"
    "data: [DONE]\n\n"
).encode()

EVENTS = [
    SseEvent("one", '{"a": "grüße 😀"}'.encode()),
    SseEvent("", b"no space"),
    SseEvent("", b"first\nsecond\n"),
    SseEvent("two", b" two spaces"),
    SseEvent("", b""),
    SseEvent("", b"[DONE]"),
]


def read(pieces):
    reader = SseReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    last = reader.close()
    return events if last is None else [*events, last]


def test_every_legal_oddity_is_read():
    assert read([ODD]) == EVENTS


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 64])
def test_pieces_of_any_size_give_the_same_events(size):
    assert read([ODD[at : at + size] for at in range(0, len(ODD), size)]) == EVENTS


@given(st.lists(st.integers(0, len(ODD))))
def test_cuts_anywhere_give_the_same_events(places):
    edges = [0, *sorted(places), len(ODD)]

    assert read([ODD[a:b] for a, b in pairwise(edges)]) == EVENTS


def test_an_event_without_its_empty_line_is_kept_for_the_end():
    reader = SseReader()

    assert reader.feed(b"data: [DONE]") == []
    assert reader.close() == SseEvent("", b"[DONE]")
    assert reader.close() is None


def test_a_carriage_return_at_a_cut_is_not_taken_for_two_line_ends():
    reader = SseReader()

    assert reader.feed(b"data: a\r") == []
    assert reader.feed(b"\ndata: b\r") == []
    assert reader.feed(b"\n\r\n") == [SseEvent("", b"a\nb")]


def test_an_event_is_handed_on_as_soon_as_its_empty_line_has_come():
    assert SseReader().feed(b"data: a\n\ndata: b") == [SseEvent("", b"a")]


@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_byte_order_mark_does_not_hide_the_first_line(size):
    raw = b"\xef\xbb\xbfdata: a\n\n"

    assert read([raw[at : at + size] for at in range(0, len(raw), size)]) == [SseEvent("", b"a")]


def test_a_body_of_carriage_returns_does_not_lose_its_last_event():
    reader = SseReader()

    assert reader.feed(b"data: a\r\rdata: b\r\r") == [SseEvent("", b"a")]
    assert reader.close() == SseEvent("", b"b")
