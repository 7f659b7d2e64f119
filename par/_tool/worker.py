"""The child's side of ``sync="process"``: read one call from standard input, answer it, end.

The answer goes to a descriptor of its own, so that what the function prints cannot spoil it.
"""

import importlib
import multiprocessing.spawn
import os
import pickle
import sys
from operator import attrgetter
from typing import cast

from par._tool.function import Function

__all__ = ["find_function", "main"]


def find_function(module: str, qualname: str) -> Function:
    """Return the plain function behind a tool that is defined at the top of a module."""
    found: object = attrgetter(qualname)(importlib.import_module(module))
    return cast("Function", getattr(found, "function", found))  # the parent checked that it is one


def main() -> None:
    """Serve one call."""
    answer_to = os.dup(1)
    os.dup2(2, 1)  # from here on, printing goes to standard error
    # the bytes come from our own parent, through a pipe that nobody else holds
    preparation, module, qualname, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301
    multiprocessing.spawn.prepare(preparation)
    module = "__mp_main__" if module == "__main__" else module
    try:
        answer: tuple[bool, object] = (True, find_function(module, qualname)(**arguments))
    except Exception as error:  # noqa: BLE001 # reported to the parent, which raises it
        answer = (False, error)
    try:
        data = pickle.dumps(answer)
    except Exception as error:  # noqa: BLE001 # pickle raises whatever the object's own code raises
        data = pickle.dumps((False, TypeError(f"the result cannot be sent between processes: {error}")))
    with os.fdopen(answer_to, "wb") as stream:
        stream.write(data)


if __name__ == "__main__":
    main()
