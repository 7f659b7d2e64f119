"""Heads as text that is kept elsewhere."""

from datetime import UTC, datetime

import attrs
import pytest

from par.errors import StoreError
from par.persistence import Head, read_heads, sign_heads

KEY = b"a key of 16 bytes or more"
HEAD = Head(scope="default", session="a", seq=3, hash="ab" * 32, at=datetime(2025, 1, 31, 12, tzinfo=UTC), position=7)
HEADS = (HEAD, attrs.evolve(HEAD, session="new\nline \u2028 \x85 漢", seq=2**62))


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("heads", [(), HEADS], ids=["none", "two"])
def test_heads_come_back_as_they_were(heads, key):
    assert read_heads(sign_heads(heads, key=key), key=key) == heads


def test_the_text_is_json_lines_of_these_exact_bytes():
    """Files of years ago are read by whatever runs then."""
    assert sign_heads([HEAD], key=KEY) == (
        '{"scope":"default","session":"a","seq":3,"hash":"' + "ab" * 32 + '","at":"2025-01-31T12:00:00.000000Z",'
        '"position":7}\n'
        '{"heads":1,"hmac_sha256":"SEAL"}\n'
    ).replace("SEAL", sign_heads([HEAD], key=KEY)[-67:-3])


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("position", range(0, 300, 7))
def test_any_changed_character_is_found(position, key):
    text = sign_heads(HEADS, key=key)
    changed = text[:position] + ("x" if text[position] != "x" else "y") + text[position + 1 :]

    with pytest.raises(StoreError, match="heads cannot be"):
        read_heads(changed, key=key)


@pytest.mark.parametrize("lines", [[1, 2], [0, 2], [0, 1], [1, 0, 2], [0, 0, 1, 2], [0, 1, 2, 2], []])
def test_a_line_that_is_missing_moved_or_added_is_found(lines):
    given = sign_heads(HEADS, key=KEY).removesuffix("\n").split("\n")

    with pytest.raises(StoreError, match="heads cannot be"):
        read_heads("".join(f"{given[line]}\n" for line in lines), key=KEY)


@pytest.mark.parametrize(("written", "read"), [(KEY, None), (None, KEY), (KEY, KEY + b"!")])
def test_another_key_or_none_is_told(written, read):
    with pytest.raises(StoreError, match="cannot be trusted"):
        read_heads(sign_heads(HEADS, key=written), key=read)


@pytest.mark.parametrize(
    "call", [lambda: sign_heads(HEADS, key=b"short"), lambda: read_heads(sign_heads(HEADS), key=b"short")]
)
def test_a_key_that_is_too_short_is_refused(call):
    with pytest.raises(ValueError, match="16 bytes"):
        call()
