"""Runs a script from a descriptor, under its own name, so that what runs is what was decided on.

Run as ``python -I -X utf8 script_main.py FD PATH ARGUMENTS...``; it imports nothing of par.
"""

import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from types import CodeType


class _Held(SourceFileLoader):
    """Loads the source that is given to it, and no compiled file beside it."""

    source = b""

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.source_to_code(self.source, self.path)


def main(arguments: list[str]) -> None:
    """Become the script."""
    fd, path = int(arguments[0]), arguments[1]
    with os.fdopen(fd, "rb") as file:
        source = file.read()
    loader = _Held("__main__", path)
    loader.source = source
    spec = ModuleSpec("__main__", loader, origin=path)
    module = module_from_spec(spec)
    module.__file__ = path
    sys.argv = [path, *arguments[2:]]
    sys.path.insert(0, os.path.dirname(path))  # noqa: PTH120 # pathlib would be one more import before the script
    sys.modules["__main__"] = module
    loader.exec_module(module)


if __name__ == "__main__":
    main(sys.argv[1:])
