"""Objects of the user's own project that the command line is told the names of."""

import sys
from importlib import import_module
from pathlib import Path

from par.errors import UsageError

__all__ = ["imported"]


def imported(name: str, what: str, form: str) -> object:
    """Return what stands under ``module:name``, looked for from the current folder on; ``what`` it is to be for errors.

    Raises:
        UsageError: if it is not written so, or cannot be imported.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"{what} is written {form}, got {name!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` has it: it is in the project that one stands in
    try:
        found: object = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise UsageError(f"{what} {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    return found
