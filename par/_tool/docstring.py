"""Read what a docstring says of a tool and of its parameters (Google, Sphinx and NumPy sections)."""

import inspect
import re
from textwrap import dedent

__all__ = ["read_docstring"]

_SECTION = re.compile(
    r"^(Args|Arguments|Parameters|Params|Returns?|Raises|Yields?|Notes?|Examples?|Attributes|Source):?\s*$"
)
_ARGUMENT_SECTIONS = ("Args", "Arguments", "Parameters", "Params")
_GOOGLE = re.compile(r"^\*{0,2}(\w+)(?:\s*\(.*?\))?\s*:\s*(.*)$")
_NUMPY = re.compile(r"^(\w+(?:\s*,\s*\w+)*)\s*(?::\s*\S.*)?$")
_SPHINX = re.compile(r"^:param\s+(?:[^:]+\s+)?(\w+):\s*(.*)$")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """Return the first paragraph in one line, and the description of each parameter that has one."""
    if not text:
        return "", {}
    lines = inspect.cleandoc(text).splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or _SECTION.match(line) or _SPHINX.match(line):
            break
        summary.append(line.strip())
    return " ".join(summary), {**_sphinx(lines), **_section(lines)}


def _sphinx(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        match = _SPHINX.match(line)
        if match:
            name = str(match[1])
            found[name] = match[2].strip()
        elif name and line.startswith(" ") and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
        else:
            name = ""
    return found


def _section(lines: list[str]) -> dict[str, str]:
    start = next(
        (i for i, line in enumerate(lines) if (m := _SECTION.match(line)) and m[1] in _ARGUMENT_SECTIONS), None
    )
    if start is None:
        return {}
    body = lines[start + 1 :]
    numpy = bool(body) and set(body[0].strip()) == {"-"}
    end = next((i for i, line in enumerate(body) if _ends(line, numpy=numpy, index=i)), len(body))
    return _entries(body[1:end] if numpy else dedent("\n".join(body[:end])).splitlines(), numpy=numpy)


def _ends(line: str, *, numpy: bool, index: int) -> bool:
    if numpy:
        return index > 0 and bool(_SECTION.match(line))
    return bool(line.strip()) and not line.startswith(" ")


def _entries(lines: list[str], *, numpy: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines:
        match = None if line.startswith(" ") else (_NUMPY if numpy else _GOOGLE).match(line)
        if match:
            names = [name.strip() for name in str(match[1]).split(",")]  # NumPy lets parameters share an entry
            found.update(dict.fromkeys(names, "" if numpy else str(match[2]).strip()))
        elif line.strip():
            found.update({name: f"{found[name]} {line.strip()}".strip() for name in names})
    return {name: text for name, text in found.items() if text}
