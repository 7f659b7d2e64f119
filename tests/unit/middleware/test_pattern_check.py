"""Regular expressions that may take for ever are refused when they are given, and others are taken."""

import re
import time

import pytest

from par.middleware import PatternDetector, Sanitize
from par.middleware._pattern_check import checked_pattern

CATASTROPHIC = [
    # repetitions inside repetitions
    "(a+)+b", "(.*)*x", "(x+x+)+y", r"(?:\s*\w*)*!", "(?P<n>a+)+b", "(?i:a+)+b", "(?:a+b?)+c", "(a+|b)*c",
    r"^(([a-z])+.)+[A-Z]([a-z])+$", "(?:[ab]*a[ab]*){9}c",
    # bounded, and no better
    "(a{1,3})+z", "(a{1,30}){1,30}b", "([a-z]{1,20}){1,20}9", r"(\d{1,5}){2,}x", "(?:(?:a{1,2}){1,2}){1,40}b",
    "(a?){30}a{30}", "(?:x?){50}y", "(?:a{0,9}){0,9}(?:a{0,9}){0,9}b",
    # alternatives that are the same
    "(a|a)*b", "(?:a|aa)+$", "(a|b|ab)*c", "(?:a|a?)+b", "(a|(a))+b",
    # neighbours that are the same
    "a*a*a*a*a*a*b", r"\d+\d+\d+\d+x", ".*.*.*=.*y", r"\w*\w*\w*@", "(.+)(.+)(.+)(.+)(.+)!",
    # with so much behind it that short texts do not show it
    "a?" * 30 + "a{30}", "(a|a)*b{100}", "(?:(?:a|a)*c{90})+d",
    # behind something that must come first
    "user=(a|a)*b", r"key: (?:\w\w?)+!", "(?:id (?:x|x)*y)+z",
]  # fmt: skip
HARMLESS = [
    "C-[0-9]{6}", r"\b[A-Z]{2}\d{6,9}\b", r"(?:\d{1,3}\.){3}\d{1,3}", r"ignore\s+(?:all\s+)?previous",
    r"(?:[a-z]{1,20}\.){1,5}[a-z]{2,9}", r"EMP-\d+(?:-\d+)?", r"https?://\S+/token=\w+", r"[\w.+-]+@[\w-]+\.[\w.]+",
    r"secret\s*[:=]\s*\S+", r"(?i:foo|bar|baz)\s*\d{4}", "a+b+c+", "(?:a|b)+z",
    r"(?:please\W+){1,4}transfer\W+(?:\w+\W+){0,5}money", r"DROP\s+TABLE|DELETE\s+FROM", "[\u0400-\u04ff]{3,}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_what_may_take_for_ever_is_refused_soon(pattern):
    since = time.thread_time()

    with pytest.raises(ValueError, match="pattern .*take for ever"):
        checked_pattern("pattern", pattern, 0)

    assert time.thread_time() - since < 5


@pytest.mark.parametrize("pattern", HARMLESS)
def test_what_is_harmless_is_taken(pattern):
    assert checked_pattern("pattern", pattern, re.IGNORECASE).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("(", "no.*|not a regular"), ("a*", "empty"), ("a{99999999999999999999}", "regular"), ("x" * 2001, "2000")],
)
def test_what_is_no_use_is_refused_with_the_reason(pattern, problem):
    with pytest.raises(ValueError, match=problem):
        checked_pattern("pattern", pattern, 0)


def test_all_who_take_patterns_check_them():
    with pytest.raises(ValueError, match="pattern"):
        PatternDetector("own", "(a|a)*b")
    with pytest.raises(ValueError, match=r"patterns\['own'\]"):
        Sanitize(patterns={"own": "(a|a)*b"})


@pytest.mark.parametrize("pattern", [r"(a+)\1+b", r"(?P<x>a+)(?P=x)+b"])
def test_a_reference_back_is_refused(pattern):
    with pytest.raises(ValueError, match="refers back"):
        checked_pattern("patterns", pattern, 0)


@pytest.mark.parametrize("pattern", [r"a\\1", r"[\1]x", r"id \d+"])
def test_what_only_looks_like_a_reference_is_not(pattern):
    assert checked_pattern("patterns", pattern, 0).pattern == pattern
