"""What users write is checked as they would check it: strictly, with both checkers, errors where errors belong.

The files in ``tests/typing`` mark each line that must be an error with the rule it breaks. A mark that is not needed is
an error itself, so a mistake that goes unnoticed fails here.
"""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "mypy": ["mypy", "--config-file", "pyproject.toml", "tests/typing"],
    "pyright": ["pyright", "--pythonpath", sys.executable, "-p", "tests/typing"],
}


@pytest.mark.parametrize("checker", COMMANDS)
def test_the_checker_finds_the_errors_that_are_marked_and_no_others(checker):
    if find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed: pip install 'par-sdk[check]'")

    found = subprocess.run(
        [sys.executable, "-m", *COMMANDS[checker]], cwd=ROOT, capture_output=True, text=True, timeout=55, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr
