"""Every Python example in the README and in the docs runs, each as a program of its own."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        for match in FENCE.finditer(text):
            line = text[: match.start()].count("\n") + 2
            yield pytest.param(match[1], line, page, id=f"{page.relative_to(ROOT)}:{line}")


@pytest.mark.parametrize(("code", "line", "page"), list(examples()))
def test_the_example_runs(code, line, page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    padded = "\n" * (line - 1) + code  # so that a traceback names the line of the page

    exec(compile(padded, str(page), "exec"), {"__name__": "__main__"})


def test_the_first_agent_of_the_readme_is_the_file_that_is_type_checked():
    assert (ROOT / "docs/examples/first_agent.py").read_text() in (ROOT / "README.md").read_text()


def test_the_provider_of_the_docs_is_the_file_that_is_type_checked():
    assert (ROOT / "docs/examples/own_provider.py").read_text() in (ROOT / "docs/how-to/test-a-provider.md").read_text()


def test_every_page_is_reachable_from_the_index():
    index = (ROOT / "docs/index.md").read_text()
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")} - {"index.md"}

    assert {page for page in pages if f"({page})" not in index} == set()
