"""A signature is right for one body, one time and the holders of a secret, and for nothing else."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.webhooks.receiver import OTHER, SECRET

from par._clock import Clock
from par.errors import InvalidSignature, SignatureExpired
from par.webhooks import sign, verify_signature

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)
BODY = b'{"id":"1"}'


def after(seconds):
    return Clock(now=lambda: AT + timedelta(seconds=seconds))


def test_the_signature_is_the_hmac_of_the_time_and_the_body():
    digest = hmac.new(SECRET.encode(), b"1738324800." + BODY, hashlib.sha256).hexdigest()

    assert sign(BODY, [SECRET], at=AT) == f"t=1738324800,v1={digest}"


def test_a_signature_is_verified_and_tells_when_it_was_made():
    header = sign(BODY, [SECRET], at=AT)

    assert verify_signature(BODY, header, [SECRET], clock=after(5)) == AT


def test_text_and_its_bytes_are_the_same_secret():
    assert verify_signature(BODY, sign(BODY, [SECRET], at=AT), [SECRET.encode()], clock=after(0)) == AT


@pytest.mark.parametrize("known", [[SECRET], [OTHER], [OTHER, SECRET]], ids=["new", "old", "both"])
def test_what_two_secrets_sign_is_taken_by_who_knows_one(known):
    header = sign(BODY, [SECRET, OTHER], at=AT)

    assert header.count("v1=") == 2
    assert verify_signature(BODY, header, known, clock=after(0)) == AT


def test_a_receiver_with_two_secrets_takes_what_one_signs():
    assert verify_signature(BODY, sign(BODY, [SECRET], at=AT), [OTHER, SECRET], clock=after(0)) == AT


@pytest.mark.parametrize("body", [BODY + b" ", b"", BODY.replace(b"1", b"2")], ids=["longer", "empty", "changed"])
def test_another_body_is_refused(body):
    with pytest.raises(InvalidSignature, match="no secret makes it of this body"):
        verify_signature(body, sign(BODY, [SECRET], at=AT), [SECRET], clock=after(0))


def test_another_secret_is_refused():
    with pytest.raises(InvalidSignature, match="no secret makes it"):
        verify_signature(BODY, sign(BODY, [SECRET], at=AT), [OTHER], clock=after(0))


def test_another_time_is_refused_because_it_is_signed():
    header = sign(BODY, [SECRET], at=AT).replace("t=1738324800", "t=1738324801")

    with pytest.raises(InvalidSignature, match="no secret makes it"):
        verify_signature(BODY, header, [SECRET], clock=after(0))


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "t=1738324800",
        "v1=" + "a" * 64,
        "t=,v1=" + "a" * 64,
        "t=-1,v1=" + "a" * 64,
        "t=1738324800,t=1738324800,v1=" + "a" * 64,
        "t=999999999999,v1=" + "a" * 64,
        "t=1738324800,v1=" + "a" * 63,
        "t=1738324800,v1=" + "A" * 64,
        "t=1738324800,v1=" + "é" * 64,
        "t=1738324800" + (",v1=" + "a" * 64) * 9,
        "t=1738324800,v2=" + "a" * 64,
        "t=1738324800,v1=" + "a" * 5000,
    ],
)
def test_what_is_no_signature_is_refused(header):
    with pytest.raises(InvalidSignature) as caught:
        verify_signature(BODY, header, [SECRET], clock=after(0))

    assert type(caught.value) is InvalidSignature


def test_signatures_of_versions_to_come_are_passed_over():
    header = sign(BODY, [SECRET], at=AT).replace(",v1", ", v2=later, v1")

    assert verify_signature(BODY, header, [SECRET], clock=after(0)) == AT


@pytest.mark.parametrize("seconds", [300, -300])
def test_a_signature_counts_within_the_tolerance(seconds):
    assert verify_signature(BODY, sign(BODY, [SECRET], at=AT), [SECRET], clock=after(seconds)) == AT


@pytest.mark.parametrize(("seconds", "said"), [(301, "301 s ago"), (-301, "301 s in the future")])
def test_an_old_signature_and_one_of_the_future_are_refused(seconds, said):
    with pytest.raises(SignatureExpired, match=said) as caught:
        verify_signature(BODY, sign(BODY, [SECRET], at=AT), [SECRET], clock=after(seconds))

    assert (caught.value.age_s, caught.value.tolerance_s) == (seconds, 300)


def test_the_tolerance_is_the_receivers():
    header = sign(BODY, [SECRET], at=AT)

    assert verify_signature(BODY, header, [SECRET], tolerance_s=20, clock=after(20)) == AT
    with pytest.raises(SignatureExpired):
        verify_signature(BODY, header, [SECRET], tolerance_s=20, clock=after(21))


def test_an_old_signature_of_another_is_called_wrong_and_not_old():
    with pytest.raises(InvalidSignature) as caught:
        verify_signature(BODY, sign(BODY, [OTHER], at=AT), [SECRET], clock=after(9999))

    assert type(caught.value) is InvalidSignature


@pytest.mark.parametrize("tolerance", [0, -1, True, float("nan"), float("inf")])
def test_a_tolerance_must_be_seconds_above_zero(tolerance):
    with pytest.raises(ValueError, match="tolerance_s"):
        verify_signature(BODY, sign(BODY, [SECRET], at=AT), [SECRET], tolerance_s=tolerance)


@pytest.mark.parametrize("secrets", [[], ["short"], [SECRET, "short"]])
def test_no_secret_and_short_secrets_are_refused_without_telling_them(secrets):
    with pytest.raises(ValueError, match="at least 16 bytes") as caught:
        sign(BODY, secrets, at=AT)

    assert "short" not in str(caught.value)


@pytest.mark.parametrize("secrets", [SECRET, SECRET.encode(), [12345678901234567]])
def test_secrets_are_several_texts_or_bytes(secrets):
    with pytest.raises(TypeError, match="secret"):
        verify_signature(BODY, "t=1,v1=" + "a" * 64, secrets)


@given(body=st.binary(max_size=200), secret=st.binary(min_size=16, max_size=80), at=st.integers(0, 4_000_000_000))
def test_whatever_is_signed_is_verified_and_nothing_else(body, secret, at):
    moment = datetime.fromtimestamp(at, UTC)
    header = sign(body, [secret], at=moment)
    clock = Clock(now=lambda: moment)

    assert verify_signature(body, header, [secret], clock=clock) == moment
    with pytest.raises(InvalidSignature):
        verify_signature(body + b"0", header, [secret], clock=clock)
