"""Events as Parquet. The only module that knows pyarrow.

pyarrow has no annotations; the protocols here say what par uses of it.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import BinaryIO, Final, Protocol, cast, final

from par import codec
from par.errors import MissingExtra
from par.events import Envelope
from par.persistence._export_csv import COLUMNS, kind_of

__all__ = ["ParquetRows", "open_parquet"]

_GROUP: Final = 16_384
"""Rows of a group: what is held in memory, and what a reader skips at once."""


class _Arrow(Protocol):
    """The module pyarrow."""

    def string(self) -> object: ...
    def int64(self) -> object: ...
    def timestamp(self, unit: str, tz: str) -> object: ...
    def field(self, name: str, type: object, nullable: bool) -> object: ...  # noqa: A002 # the library's name
    def schema(self, fields: Sequence[object]) -> object: ...
    def array(self, values: Sequence[object], type: object) -> object: ...  # noqa: A002 # as above
    @property
    def Table(self) -> "_Tables": ...  # noqa: N802 # as above


class _Tables(Protocol):
    """The class ``pyarrow.Table``."""

    def from_arrays(self, arrays: Sequence[object], *, schema: object) -> object: ...


class _Writer(Protocol):
    """A writer of ``pyarrow.parquet``."""

    def write_table(self, table: object) -> None: ...
    def close(self) -> None: ...


class _Parquet(Protocol):
    """The module ``pyarrow.parquet``."""

    def ParquetWriter(self, where: BinaryIO, schema: object, *, compression: str) -> _Writer: ...  # noqa: N802 # as above


def open_parquet(file: BinaryIO) -> "ParquetRows":
    """Return what writes events to a file as Parquet.

    Raises:
        MissingExtra: if pyarrow is not installed.
    """
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise MissingExtra(extra="parquet", module="pyarrow") from None
    return ParquetRows(cast("_Arrow", arrow), cast("_Parquet", parquet), file)  # as the protocols say


@final
class ParquetRows:
    """Writes columns of rows, compressed: text, and numbers and times as such."""

    def __init__(self, arrow: _Arrow, parquet: _Parquet, file: BinaryIO) -> None:
        self._arrow = arrow
        types = {"seq": arrow.int64(), "step": arrow.int64(), "at": arrow.timestamp("us", tz="UTC")}
        self._types = [types.get(column) or arrow.string() for column in COLUMNS]
        self._schema = arrow.schema([
            arrow.field(column, kind, nullable=column == "parent")
            for column, kind in zip(COLUMNS, self._types, strict=True)
        ])
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[tuple[str | int | datetime | None, ...]] = []

    def write(self, envelopes: Sequence[Envelope], /) -> None:
        """Write a row for each event."""
        self._rows += [
            (
                envelope.session,
                envelope.seq,
                envelope.at,
                kind_of(envelope),
                envelope.run,
                envelope.parent,
                envelope.step,
                envelope.id,
                codec.dumps(envelope.event),
            )
            for envelope in envelopes
        ]
        if len(self._rows) >= _GROUP:
            self._write_group()

    def _write_group(self) -> None:
        columns = list(zip(*self._rows, strict=True))
        arrays = [self._arrow.array(column, type=kind) for column, kind in zip(columns, self._types, strict=True)]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def end(self) -> None:
        """Write what is left, and what stands at the end of such a file."""
        if self._rows:
            self._write_group()
        self._writer.close()
