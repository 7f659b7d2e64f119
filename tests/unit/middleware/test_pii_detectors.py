"""What counts as personal data, and what only looks like it."""

import random

import pytest
from unit.middleware.pii_table import NEGATIVE, POSITIVE

from par.middleware import (
    CardNumbers,
    Emails,
    Ibans,
    IpAddresses,
    PatternDetector,
    PhoneNumbers,
    PiiMask,
    Secrets,
    SocialSecurityNumbers,
)
from par.middleware._pii_find import DEFAULT_DETECTORS, Finder

FINDER = Finder(DEFAULT_DETECTORS)


@pytest.mark.parametrize(("kind", "value", "text"), [row[1:] for row in POSITIVE], ids=[row[0] for row in POSITIVE])
def test_personal_data_is_found_whole(kind, value, text):
    hits = FINDER.find(text)

    at = text.rindex(value)
    assert [hit.detector.kind for hit in hits if hit.start <= at and at + len(value) <= hit.end] == [kind]


@pytest.mark.parametrize(("kind", "value", "text"), [row[1:] for row in POSITIVE], ids=[row[0] for row in POSITIVE])
def test_nothing_around_personal_data_is_taken_with_it(kind, value, text):
    hits = FINDER.find(text)

    assert all(text[hit.start].isspace() is False for hit in hits)
    assert all(hit.end - hit.start <= max(len(value), 23) for hit in hits if hit.detector.kind != "secret")


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_like_it_is_left_alone(text):
    assert [text[hit.start : hit.end] for hit in FINDER.find(text)] == []


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_like_it_is_left_alone_in_a_sentence(text):
    sentence = f"the value is {text}, as said"

    assert [sentence[hit.start : hit.end] for hit in FINDER.find(sentence)] == []


def test_precision_and_recall_are_both_above_98_per_cent():
    found = sum(
        any(hit.detector.kind == kind and value in text[hit.start : hit.end] for hit in FINDER.find(text))
        for _, kind, value, text in POSITIVE
    )
    wrong = sum(bool(FINDER.find(text)) for text in NEGATIVE)

    assert len(POSITIVE) >= 300
    assert len(NEGATIVE) >= 300
    assert found / len(POSITIVE) >= 0.98
    assert found / (found + wrong) >= 0.98


@pytest.mark.parametrize(
    "text", ["10.1.2.3", "connect to 203.0.113.9:443", "2001:db8::8a2e:370:7334", "from fe80::1ff:fe23:4567:890a"]
)
def test_ip_addresses_are_found_on_request(text):
    assert len(Finder((IpAddresses(),)).find(text)) == 1


@pytest.mark.parametrize(
    "text", ["version 10.1.2.3", "v1.2.3.4", "1.2.3.4.5", "256.1.1.1", "12:34:56", "a::b::c", "std::vector"]
)
def test_versions_and_times_are_no_ip_addresses(text):
    assert Finder((IpAddresses(),)).find(text) == []


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [("phone", "4155552671", "phone"), ("ssn", "219099999", "ssn"), ("user_id", "4155552671", None)],
)
def test_the_key_says_what_bare_digits_are(key, value, kind):
    assert [hit.detector.kind for hit in FINDER.find(value, key)] == ([kind] if kind else [])


def test_overlapping_hits_become_one():
    both = Finder((PatternDetector("wide", "ann@[a-z.]+ of [A-Z]+"), Emails()))

    hits = both.find("write to ann@example.com of ACME now")

    assert [(hit.start, hit.end, hit.detector.kind) for hit in hits] == [(9, 32, "wide")]


SURROGATES = [
    (CardNumbers(), "4111 1111 1111 1111"),
    (CardNumbers(), "378282246310005"),
    (Ibans(), "DE89 3704 0044 0532 0130 00"),
    (Ibans(), "GB29NWBK60161331926819"),
    (SocialSecurityNumbers(), "219-09-9999"),
    (PhoneNumbers(), "+1 (415) 555-2671"),
    (PhoneNumbers(), "415.555.2671"),
    (PhoneNumbers(), "+49 30 901820"),
    (PhoneNumbers(), "020 7946 0958"),
    (Emails(), "ann@example.com"),
    (Secrets(), "AKIAIOSFODNN7EXAMPLE"),
    (Secrets(), "sk-abcdefghijklmnopqrstuvwxyz0123456789"),
    (IpAddresses(), "10.1.2.3"),
    (IpAddresses(), "2001:db8::8a2e:370:7334"),
]


@pytest.mark.parametrize(("detector", "value"), SURROGATES)
def test_a_surrogate_passes_as_what_it_stands_for(detector, value):
    rng = random.Random(7)

    for _ in range(50):
        made = detector.surrogate(value, rng)

        assert made != value
        assert list(detector.find(made)) == [(0, len(made))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "Bad Kind", "pattern": "x"}, "kind"),
        ({"kind": "x", "pattern": ""}, "pattern"),
        ({"kind": "x", "pattern": "a*"}, "pattern"),
        ({"kind": "x", "pattern": "("}, "pattern"),
        ({"kind": "x", "pattern": "(a+)+b"}, "pattern"),
        ({"kind": "x", "pattern": "(?:(?:ab)*c?)*d"}, "pattern"),
        ({"kind": "x", "pattern": "(a{2,}){3,}"}, "pattern"),
        ({"kind": "x", "pattern": "x", "max_chars": 0}, "max_chars"),
        ({"kind": "x", "pattern": "x", "max_chars": 5000}, "max_chars"),
        ({"kind": "x", "pattern": "x", "max_chars": True}, "max_chars"),
    ],
)
def test_a_detector_that_cannot_work_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PatternDetector(**arguments)


@pytest.mark.parametrize("pattern", ["(a+)b", "(?:a|b)+", r"(\+)+", "([*+])+", "(ab)?(cd)*"])
def test_a_detector_of_a_harmless_pattern_is_taken(pattern):
    assert PatternDetector("x", pattern + "z").kind == "x"


def test_a_pattern_detector_minds_case_and_length():
    text = "C-123 c-123456 C-123456"

    plain = PatternDetector("customer", "C-[0-9]+", max_chars=6)
    loose = PatternDetector("customer", "C-[0-9]+", ignore_case=True)

    assert list(plain.find(text)) == [(0, 5)]
    assert len(list(loose.find(text))) == 3


def test_masks_without_detectors_or_with_wrong_ones_are_refused():
    with pytest.raises(ValueError, match="detectors"):
        PiiMask(detectors=())
    with pytest.raises(TypeError, match="detectors"):
        PiiMask(detectors=(Emails,))
    with pytest.raises(TypeError, match="detectors"):
        PiiMask(detectors=("email",))
