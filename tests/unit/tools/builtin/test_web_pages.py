"""What makes a page readable, and that no page takes longer than its length allows."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from par.tools._web.readable import Link, read_html

URL = "https://example.com/docs/page"


def text_of(html):
    return read_html(html, URL).text


# --- text ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("a<br><br><br>b", "a\n\nb"),
        ("  a \n\t b  ", "a b"),
        ("<b>a</b>b <i> c</i> d", "ab c d"),
        ("<h2>Head</h2>text", "## Head\n\ntext"),
        ("<ul><li>a<li>b</ul>c", "- a\n- b\n\nc"),
        ("<table><tr><th>x<th>y<tr><td>1<td>2</table>", "x | y\n1 | 2"),
        ("<pre>\n a\n   b\n</pre>c", "a\n   b\n\nc"),
        ("a &lt;b&gt; &amp; &copy; &#65;&#x42; &nope; &", "a <b> & © AB &nope; &"),
        ("&#xD800; &#1114112; &#0;", "\ufffd \ufffd \ufffd"),
        ("1 < 2 and 3<4 a<-b", "1 < 2 and 3<4 a<-b"),
        ("a<!-- x -->b<!-->c<!--->d<!doctype html>e<?php x ?>f</>g</ x>h", "abcdefgh"),
        ("a<script>if (a<b) '</p>'</script >b", "ab"),
        ("a<STYLE>p{}</Style>b<noscript>no</noscript>c<template><p>x</template>d", "abcd"),
        ("a<svg/>b<svg viewBox='0'><title>x</title></svg>c", "abc"),
        ("a<textarea>t</textarea><iframe>i</iframe>b", "ab"),
        ("<p title='a>b' data-x=\"<p>\">c</p>", "c"),
        ("<p it's=x>a</p>", "a"),
        ("<p a = 'x' b=>a</p>", "a"),
        ("<custom-tag>a</custom-tag>", "a"),
        ("<html><head><meta charset=x><link></head><body>a", "a"),
        ("a<p", "a"),
        ("a<p title='", "a"),
        ("a<p title='>b", "a"),
        ("a<!-- b", "a"),
        ("a<script>b", "a"),
        ("<title>x</title>a", "a"),
        ("<svg><script></svg>a", "a"),
        ("a <a href=x> b </a> c", "a b c"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_text_is_what_a_reader_would_see(html, text):
    assert text_of(html) == text


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title> A &amp;\n B </title>", "A & B"),
        ("<head><title>One</title></head><title>Two</title>", "One"),
        ("<title></title><title>Two</title>", ""),
        ("<title>a <b>bold</b></title>", "a <b>bold</b>"),
        ("<TITLE lang=en>x</TITLE>", "x"),
        ("<title>never closed", "never closed"),
        ("<svg><title>icon</title></svg><title>page</title>", "page"),
        ("<p>none", ""),
        ("<title>" + "a" * 400 + "</title>", "a" * 300),
    ],
)  # fmt: skip
def test_the_title_is_the_first_one(html, title):
    assert read_html(html, URL).title == title


# --- links --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ('<a href="/x">X</a>', [("X", "https://example.com/x")]),
        ("<a href=y?a=1&amp;b=2> Y  y </a>", [("Y y", "https://example.com/docs/y?a=1&b=2")]),
        ("<a href='//o.test/'>O</a>", [("O", "https://o.test/")]),
        ("<a href='/x'>first</a><a href='/x'>second</a>", [("first", "https://example.com/x")]),
        ("<base href='https://b.test/d/'><base href=/no/><a href=e>E</a>", [("E", "https://b.test/d/e")]),
        ("<a href=1>a<a href=2>b", [("a", "https://example.com/docs/1"), ("b", "https://example.com/docs/2")]),
        ("<a href='#top'>top</a><a>no</a><a href=''>no</a>", []),
        ("<a href='javascript:alert(1)'>x</a><a href='mailto:a@b'>m</a><a href='data:,x'>d</a>", []),
        ("<a href='https://[::1'>broken</a>", []),
        ("<a href='/" + "a" * 2001 + "'>long</a>", []),
    ],
)  # fmt: skip
def test_links_are_absolute_and_lead_to_the_web(html, links):
    assert read_html(html, URL).links == tuple(Link(text=text, url=url) for text, url in links)


def test_links_are_at_most_a_hundred():
    html = "".join(f"<a href=/{number}>x</a>" for number in range(150))

    assert len(read_html(html, URL).links) == 100


# --- hostile pages ------------------------------------------------------------------------------------

BITS = {
    "signs": "<",
    "tags": "<a",
    "comments": "<!--",
    "dashes": "<!--" + "-" * 50,
    "declarations": "<!",
    "instructions": "<?",
    "sections": "<![CDATA[",
    "quotes": '<a b="',
    "two quotes": "<a b='\"",
    "equals": "<a =",
    "attributes": "<a b c=d ",
    "names": "<a b b b b b",
    "lines": "<a \n\n\n\n\n\n\n\nb",
    "scripts": "<script>",
    "almost closed": "<script></scrip>",
    "closings": "</",
    "titles": "<title>",
    "references": "&",
    "numbers": "&#",
    "long references": "&" + "a" * 37,
    "depth": "<div>",
    "paragraphs": "<pre>",
    "items": "<li>",
    "cells": "<td>",
    "links": "<a href=x>y",
    "link parts": "<a href=x>" + "y<b>" * 50,
    "bases": "<base href=a/>",
    "empty": "<svg/>",
}


@pytest.mark.parametrize("bit", BITS.values(), ids=BITS.keys())
def test_time_grows_with_the_length_of_a_hostile_page_and_not_faster(bit):
    html = (bit * 300_000)[:300_000]
    started = time.process_time()

    read_html(html, URL)

    assert time.process_time() - started < 3.0


def test_a_number_of_a_million_digits_is_no_character():
    assert text_of("a&#" + "9" * 1_000_000 + ";b&#x" + "f" * 1_000_000) == "a\ufffdb\ufffd"


@given(st.text(alphabet="<>/!-?='\" &#;abptilrescv\n", max_size=200))
def test_no_page_makes_the_reader_crash(html):
    found = read_html(html, URL)

    assert isinstance(found.text, str)


@given(st.text(alphabet=st.characters(exclude_characters="<&", exclude_categories=["Cs"]), max_size=100))
def test_text_without_markup_keeps_its_words(text):
    assert text_of(text).split() == text.split()
