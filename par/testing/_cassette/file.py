"""The file of a cassette: JSON that people can read, written at once or not at all."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from par._json import Json, JsonSyntaxError, load_json
from par.testing._cassette.errors import CassetteMissing, CassetteUnreadable
from par.testing._cassette.interaction import Interaction, read_interaction

__all__ = ["read_tape", "write_tape"]

_FORMAT = 1


def read_tape(path: Path) -> list[Interaction]:
    """Read a cassette.

    Raises:
        CassetteMissing: if there is no such file.
        CassetteUnreadable: if it is no cassette.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CassetteMissing(str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CassetteUnreadable(str(path), str(error)) from error
    try:
        return [read_interaction(item) for item in _items(load_json(text))]
    except (JsonSyntaxError, ValueError) as error:
        raise CassetteUnreadable(str(path), str(error)) from error


def _items(value: Json) -> list[Json]:
    if not isinstance(value, dict) or value.get("cassette") != _FORMAT:
        raise ValueError(f'it does not begin with "cassette": {_FORMAT}')
    interactions = value.get("interactions")
    if not isinstance(interactions, list):
        raise ValueError("interactions must be a list")  # noqa: TRY004 # of a file, not a program
    return interactions


def write_tape(path: Path, interactions: Iterable[Interaction]) -> None:
    """Write a cassette beside its place and move it there, so that nobody ever sees half of it.

    Raises:
        OSError: if it cannot be written; what was there before stays.
    """
    items: list[Json] = [interaction.to_json() for interaction in interactions]
    text = json.dumps({"cassette": _FORMAT, "interactions": items}, ensure_ascii=False, indent=1, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o644)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
