r"""Events as CSV that a spreadsheet can open without computing what stands in them.

A cell that begins with ``= + - @`` (or their full-width forms) is a formula to a spreadsheet, and one that splits rows
at other places than commas sees cells where there are none. So every cell is in quotes, and each begins harmlessly:

* the event is a JSON object and begins with ``{``; a semicolon in it is written ``\u003b``, which is the same JSON;
* a name (session, run, parent, id) of letters, digits, spaces and ``_ . : / # @ -`` that begins with a letter, a
  digit or ``_`` stands as it is; any other is written as a JSON string, which begins with a quote, with all but
  letters and digits escaped. ``name_of`` gives the name back: nothing is lost.
"""

import csv
import io
import re
from collections.abc import Sequence
from typing import BinaryIO, Final, cast, final

from par import codec
from par._json import load_json
from par.events import Envelope, Redacted

__all__ = ["COLUMNS", "CsvRows", "kind_of", "name_of"]

COLUMNS: Final = ("session", "seq", "at", "kind", "run", "parent", "step", "id", "body")

_PLAIN: Final = re.compile(r"\w[\w .:/#@-]*")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9]")


def kind_of(envelope: Envelope) -> str:
    """Return the tag of an event; of one whose content was removed, the tag that it had."""
    event = envelope.event
    return event.kind if isinstance(event, Redacted) else codec.tag_of(event)


def _name(text: str | None) -> str:
    if text is None:
        return ""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + _UNSAFE.sub(_escaped, text) + '"'


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", errors="surrogatepass")
    return "".join([f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2)])


def name_of(cell: str) -> str:
    """Return the name that a cell stands for.

    Raises:
        JsonSyntaxError: if the cell begins as a JSON string and is none.
    """
    if not cell.startswith('"'):
        return cell
    return cast("str", load_json(cell))  # JSON that begins with a quote is a string


@final
class CsvRows:
    """Writes rows as RFC 4180 has them: UTF-8, commas, every cell in quotes, CR LF. The first names the columns."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._write([COLUMNS])

    def write(self, envelopes: Sequence[Envelope], /) -> None:
        """Write a row for each event."""
        self._write([
            (
                _name(envelope.session),
                envelope.seq,
                codec.time_text(envelope.at),
                _name(kind_of(envelope)),
                _name(envelope.run),
                _name(envelope.parent),
                envelope.step,
                _name(envelope.id),
                codec.dumps(envelope.event).replace(";", "\\u003b"),  # JSON has it in strings alone
            )
            for envelope in envelopes
        ])

    def _write(self, rows: Sequence[Sequence[str | int]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
        self._file.write(text.getvalue().encode())

    def end(self) -> None:
        """Do nothing: the last row is there."""
