"""The shape of the code: files that fit in a head, named for what they hold."""

from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "par"
FILES = sorted(PACKAGE.rglob("*.py"))
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base"}
LONGEST = 400


def where(file):
    return file.relative_to(PACKAGE).as_posix()


def test_there_are_files_to_look_at():
    assert len(FILES) > 50


@pytest.mark.parametrize("file", FILES, ids=where)
def test_a_file_fits_in_a_head(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST


@pytest.mark.parametrize("file", FILES, ids=where)
def test_a_file_is_named_for_what_it_holds(file):
    assert not {part.strip("_") for part in file.relative_to(PACKAGE).with_suffix("").parts} & EMPTY_NAMES


@pytest.mark.parametrize("file", FILES, ids=where)
def test_a_file_says_what_it_is_for(file):
    assert file.read_text(encoding="utf-8").startswith(('"""', 'r"""'))


@pytest.mark.parametrize("file", FILES, ids=where)
def test_a_file_speaks_of_no_machine(file):
    text = file.read_text(encoding="utf-8")

    assert "/home/" not in text
    assert "/Users/" not in text
