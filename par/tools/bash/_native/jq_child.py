"""Runs a jq filter with the Python package jq, where the program is absent: in a process, so that it can be ended.

Run as ``python -I jq_child.py [-M] [-r] [-c] [-s] FILTER``; it reads its standard input and imports nothing of par.
"""

import json
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Protocol, cast


class _Compiled(Protocol):
    def input_text(self, text: str, *, slurp: bool = False) -> Iterable[object]: ...


class _Jq(Protocol):
    def compile(self, program: str) -> _Compiled: ...


def main(arguments: list[str]) -> int:
    """Write the filter's results and return the exit code, which is jq's own: 3 for a bad filter, 5 for bad input."""
    flags, filter_ = set(arguments[:-1]), arguments[-1]
    jq = cast("_Jq", import_module("jq"))  # an extension module without annotations
    try:
        compiled = jq.compile(filter_)
    except ValueError as error:
        return _failed(3, error)
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        for value in compiled.input_text(text, slurp="-s" in flags):
            if "-r" in flags and isinstance(value, str):
                shown = value
            elif "-c" in flags:
                shown = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            else:
                shown = json.dumps(value, ensure_ascii=False, indent=2)
            sys.stdout.buffer.write(shown.encode("utf-8", "replace") + b"\n")
    except ValueError as error:
        return _failed(5, error)
    return 0


def _failed(code: int, error: ValueError) -> int:
    sys.stderr.write(f"jq: error: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
