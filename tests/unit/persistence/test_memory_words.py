"""The words of a text: the same however they are written, harmless to any query language, and shown in their place."""

import re
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from par.persistence._memory_words import (
    EXCERPT_CHARS,
    excerpt,
    fts5_query,
    has_words,
    owner_token,
    owner_tokens,
    terms,
    words,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("café", "cafe"),
        ("cafe\u0301", "CAFÉ"),
        ("ﬁve", "five"),
        ("Ａｎｎ", "ann"),
        ("don't", "don t"),
        ("İstanbul", "istanbul"),
        ("Ω", "ω"),
        ("a_b", "a b"),
    ],
)
def test_a_word_is_the_same_however_it_is_written(one, other):
    assert words(one) == words(other) != ""


@pytest.mark.parametrize(("one", "other"), [("ад", "аб"), ("日", "本"), ("が", "か"), ("a1", "a2"), ("한", "하")])
def test_different_words_are_different(one, other):
    assert words(one) != words(other)


@pytest.mark.parametrize("text", ["", " ", "!?\"'()*:^-", "_", "\u0301", "\u202e\x00\ud800", "😀"], ids=ascii)
def test_what_has_no_letter_and_no_digit_has_no_words(text):
    assert not has_words(text)
    assert (words(text), terms(text)) == ("", ())


@given(st.text(st.characters()))
def test_tokens_are_small_ascii_letters_and_digits(text):
    assert re.fullmatch("[a-z0-9 ]*", words(text))
    assert all(re.fullmatch("[a-z0-9]+", token) for term in terms(text) for token in term)


@given(st.text(st.characters()))
def test_the_terms_of_a_text_stand_in_its_words(text):
    index = f" {words(text)} "

    assert all(f" {' '.join(term)} " in index for term in terms(text))


@given(st.text(st.characters(max_codepoint=127)))
def test_a_text_of_ascii_has_the_same_words_beside_another_letter(text):
    assert f"{words(text)} {words('ж')}".strip() == words(f"{text} ж")


@given(st.text(st.characters()))
def test_a_text_has_terms_just_if_it_has_words(text):
    assert bool(terms(text)) == has_words(text) == bool(words(text))


def test_scripts_without_spaces_are_looked_up_by_pairs():
    pairs = terms("東京都 tower")

    assert [len(term) for term in pairs] == [2, 2, 1]
    assert terms("京") == ((words("京"),),)


def test_a_very_long_query_and_a_very_long_word_are_cut():
    assert len(terms(" ".join(map(str, range(1000))))) == 64
    assert len(terms("".join(map(chr, range(0x4E00, 0x4F00))))) == 64
    assert words("x" * 1000) == "x" * 64


@given(st.text(st.characters(), min_size=1), st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_makes_a_query_that_sqlite_refuses(query, scope):
    looked_for = terms(query)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (owner, words, tokenize = 'porter ascii')")

    if looked_for:
        connection.execute("SELECT * FROM t WHERE t MATCH ?", (fts5_query(owner_token(scope, "a"), looked_for),))
    connection.close()


# --- owners -------------------------------------------------------------------------------------------------


def owns(owner, session, scope="t"):
    return owner_token("t", owner) in owner_tokens(scope, session).split()


@pytest.mark.parametrize("owner", ["", "user", "user/7", "user/7/monday"])
def test_a_session_is_owned_by_each_part_of_its_name(owner):
    assert owns(owner, "user/7/monday")


@pytest.mark.parametrize("owner", ["use", "user/", "user/77", "7", "monday", "user/7/monday/x", "User"])
def test_a_session_is_not_owned_by_another(owner):
    assert not owns(owner, "user/7/monday")


def test_a_session_of_another_scope_is_not_owned():
    assert not owns("user", "user/7", scope="other")
    assert not owns("", "user/7", scope="other")


def test_scope_and_owner_cannot_be_shifted_into_each_other():
    tokens = {owner_token("a", "b/c"), owner_token("a/b", "c"), owner_token("a/b/c", ""), owner_token("", "a/b/c")}

    assert len(tokens) == 4


def test_a_session_of_many_levels_has_few_tokens_and_keeps_its_owners():
    deep = "/".join("abcdefghijklmnopqrstuvwxyz")

    assert len(owner_tokens("t", deep).split()) == 17
    assert owns(deep, deep)
    assert owns("a/b", deep)


# --- excerpts -----------------------------------------------------------------------------------------------


def test_a_short_text_is_shown_whole():
    assert excerpt("The Tower of London", terms("tower")) == "The Tower of London"


def test_a_text_without_the_word_has_no_excerpt():
    assert excerpt("The Tower of London", terms("bridge")) is None


@pytest.mark.parametrize("before", [0, 10, 400, 2000])
@pytest.mark.parametrize("after", [0, 10, 400, 2000])
def test_an_excerpt_has_the_word_and_says_where_it_is_cut(before, after):
    text = "a " * before + "Müller" + " b" * after

    shown = excerpt(text, terms("muller"))

    assert "Müller" in shown
    assert len(shown) == min(len(text), EXCERPT_CHARS)
    assert shown.startswith("…") == (not text.startswith(shown.strip("…")))
    assert shown.endswith("…") == (not text.endswith(shown.strip("…")))


def test_an_excerpt_shows_another_form_of_the_word():
    text = "x " * 1000 + "we were running late" + " y" * 1000

    assert "running" in excerpt(text, terms("runner"))


def test_an_excerpt_shows_the_word_itself_rather_than_another_form():
    text = "running " + "x " * 1000 + "runner"

    assert excerpt(text, terms("runner")).endswith("runner")


@given(st.text(st.characters(), max_size=2000), st.integers(0, 50))
def test_an_excerpt_of_any_text_has_its_words(text, place):
    parts = [part for part in text.split() if has_words(part)]

    if parts:
        shown = excerpt(text, terms(parts[place % len(parts)]))
        assert shown is not None
        assert len(shown) <= EXCERPT_CHARS
