"""Events in files that other programs read: complete, exact, harmless in a spreadsheet, or not there at all."""

import csv
import io
import os
import re
import sys
from datetime import timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.persistence.made import START, envelope, envelopes

from par import codec
from par._json import load_json
from par.errors import MissingExtra, UsageError
from par.events import Envelope, Event, Redacted, RunStarted, ToolProgress
from par.persistence import open_sqlite
from par.persistence._export import Exported, Selection, export_events
from par.persistence._export_csv import COLUMNS, CsvRows, name_of
from par.persistence._postgres_open import open_postgres

pytestmark = pytest.mark.anyio

FORMATS = ["jsonl", "csv", "parquet"]
FORMULA = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")


@pytest.fixture
async def store(tmp_path):
    async with open_sqlite(tmp_path / "audit.db", durability="process") as store:
        yield store


def rows_of(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def from_csv(row):
    """Return the envelope that a row of CSV stands for."""
    cells = dict(zip(COLUMNS, row, strict=True))
    return Envelope(
        session=name_of(cells["session"]),
        seq=int(cells["seq"]),
        at=codec.time_of(cells["at"]),
        run=name_of(cells["run"]),
        parent=name_of(cells["parent"]) if cells["parent"] else None,
        step=int(cells["step"]),
        id=name_of(cells["id"]),
        event=codec.loads(Event, cells["body"]),
    )


def read(path, form):
    if form == "jsonl":
        return [codec.loads(Envelope, line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    if form == "csv":
        return [from_csv(row) for row in rows_of(path.read_bytes())[1:]]
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
    return [
        Envelope(
            **{name: row[name] for name in ("session", "seq", "at", "run", "parent", "step", "id")},
            event=codec.loads(Event, row["body"]),
        )
        for row in rows
    ]


@pytest.mark.parametrize("form", FORMATS)
async def test_what_is_exported_is_what_was_stored(store, tmp_path, form):
    stored = [
        *envelopes("a", 3),
        envelope("=1+2", 1, content='semi;colon \u2028 \x9b \ud800 "quotes"\r\n=cmd()', parent="r0", run="@run"),
        envelope("a", 4, event=RunStarted(agent="a", model="m", input=())),
    ]
    await store.append(stored)

    done = await export_events(store, tmp_path / "out", format=form)

    assert read(tmp_path / "out", form) == stored
    assert done == Exported(read=5, of=5, events=5)


@pytest.mark.parametrize("form", FORMATS)
async def test_more_than_a_batch_and_a_group_of_rows_is_complete(store, tmp_path, form):
    stored = [envelope("a", seq) for seq in range(1, 2501)]
    await store.append(stored)

    await export_events(store, tmp_path / "out", format=form)

    assert read(tmp_path / "out", form) == stored


@pytest.mark.parametrize("form", FORMATS)
async def test_an_empty_store_makes_a_file_without_events(store, tmp_path, form):
    assert (await export_events(store, tmp_path / "out", format=form)).events == 0
    assert read(tmp_path / "out", form) == []


async def test_postgres_exports_the_same(postgres_dsn, tmp_path):
    stored = [*envelopes("a", 3), *envelopes("b", 2)]
    async with open_postgres(postgres_dsn) as store:
        await store.append(stored)
        await export_events(store, tmp_path / "out", format="csv")

    assert read(tmp_path / "out", "csv") == stored


async def test_parquet_has_times_and_numbers_as_such(store, tmp_path):
    import pyarrow.parquet

    await store.append([envelope()])

    await export_events(store, tmp_path / "out", format="parquet")

    table = pyarrow.parquet.read_table(tmp_path / "out")
    assert tuple(table.column_names) == COLUMNS
    types = {name: str(table.schema.field(name).type) for name in ("seq", "step", "at", "body")}
    assert types == {"seq": "int64", "step": "int64", "at": "timestamp[us, tz=UTC]", "body": "string"}
    assert table.schema.field("parent").nullable and not table.schema.field("run").nullable


async def test_parquet_is_written_in_groups_of_rows(store, tmp_path, monkeypatch):
    import pyarrow.parquet

    from par.persistence import _export_parquet

    monkeypatch.setattr(_export_parquet, "_GROUP", 1000)
    await store.append([envelope("a", seq) for seq in range(1, 2501)])

    await export_events(store, tmp_path / "out", format="parquet")

    assert pyarrow.parquet.ParquetFile(tmp_path / "out").num_row_groups == 3
    assert len(read(tmp_path / "out", "parquet")) == 2500


class TestSelection:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, ["a1", "b1", "a2", "b2", "a3"]),
            ({"session": "b"}, ["b1", "b2"]),
            ({"since": START + timedelta(seconds=2)}, ["a2", "b2", "a3"]),
            ({"until": START + timedelta(seconds=2)}, ["a1", "b1"]),
            ({"kinds": ["tool_progress"]}, ["a3"]),
            ({"kinds": ["tool_progress", "tool_call_ended"], "session": "a"}, ["a1", "a2", "a3"]),
            ({"kinds": ["run_ended"]}, []),
            ({"session": "nobody"}, []),
        ],
        ids=str,
    )
    async def test_only_what_is_wanted_is_copied(self, store, tmp_path, wanted, found):
        a, b = envelopes("a", 3), envelopes("b", 2)
        a[2] = envelope("a", 3, event=ToolProgress(call_id="c", name="n", message="m"))
        await store.append([a[0], b[0], a[1], b[1], a[2]])

        await export_events(store, tmp_path / "out", selection=Selection(**wanted))

        assert [f"{one.session}{one.seq}" for one in read(tmp_path / "out", "jsonl")] == found

    async def test_a_redacted_event_is_found_by_the_kind_that_it_was_and_as_redacted(self, store, tmp_path):
        await store.append(envelopes("a", 2))
        await store.redact("a", seqs=[2], reason="r", by="b")

        for kind, seqs in (("tool_call_ended", [1, 2]), ("redacted", [2])):
            await export_events(store, tmp_path / "out", format="csv", selection=Selection(session="a", kinds=[kind]))
            found = read(tmp_path / "out", "csv")
            assert [one.seq for one in found] == seqs
            assert found[-1].event == Redacted(kind="tool_call_ended")

    @pytest.mark.parametrize(
        ("wanted", "name"),
        [
            ({"kinds": ["teapot"]}, "kinds"),
            ({"since": START.replace(tzinfo=None)}, "since"),
            ({"until": START.replace(tzinfo=None)}, "until"),
        ],
    )
    def test_what_cannot_be_wanted_is_refused_by_its_name(self, wanted, name):
        with pytest.raises(ValueError, match=name):
            Selection(**wanted)


class TestFile:
    async def test_it_takes_the_place_of_an_older_file_at_the_end_alone(self, store, tmp_path):
        (tmp_path / "out").write_text("old")
        await store.append(envelopes("a", 1500))
        seen = []

        await export_events(
            store, tmp_path / "out", progress=lambda now: seen.append((now, (tmp_path / "out").read_text()))
        )

        assert [now.read for now, _ in seen] == [1000, 1500]
        assert {text for _, text in seen} == {"old"}
        assert len(read(tmp_path / "out", "jsonl")) == 1500

    async def test_a_failure_leaves_what_was_there_and_nothing_else(self, store, tmp_path):
        folder = tmp_path / "exports"
        folder.mkdir()
        (folder / "out").write_text("old")
        await store.append(envelopes("a", 2))

        def fail(_):
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            await export_events(store, folder / "out", progress=fail)

        assert {path.name: path.read_text() for path in folder.iterdir()} == {"out": "old"}

    async def test_a_cancelled_export_leaves_nothing(self, store, tmp_path):
        folder = tmp_path / "exports"
        folder.mkdir()
        await store.append(envelopes("a", 3000))

        with anyio.CancelScope() as scope:
            await export_events(store, folder / "out", progress=lambda _: scope.cancel())

        assert scope.cancelled_caught
        assert list(folder.iterdir()) == []

    async def test_only_its_owner_may_read_it(self, store, tmp_path):
        await export_events(store, tmp_path / "out")

        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600

    async def test_a_link_stays_one(self, store, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "out")

        await export_events(store, tmp_path / "link")

        assert (tmp_path / "link").is_symlink() and (tmp_path / "out").is_file()

    async def test_what_is_no_plain_file_is_refused_and_kept(self, store, tmp_path):
        os.mkfifo(tmp_path / "pipe")

        for name in ("pipe", "."):
            with pytest.raises(UsageError, match="no plain file"):
                await export_events(store, tmp_path / name)

        assert (tmp_path / "pipe").is_fifo()

    async def test_a_folder_that_is_not_there_is_named(self, store, tmp_path):
        with pytest.raises(UsageError, match="its folder does not exist"):
            await export_events(store, tmp_path / "nowhere" / "out")

    async def test_events_that_are_stored_meanwhile_do_not_keep_it_going(self, store, tmp_path):
        await store.append(envelopes("a", 1000))

        class Growing:
            """Stores an event more for each that is read."""

            def __getattr__(self, name):
                return getattr(store, name)

            async def events(self, session=None, **options):
                seq = 1000
                async for one in store.events(session, **options):
                    seq += 1
                    await store.append([envelope("a", seq)])
                    yield one

        with anyio.fail_after(30):
            done = await export_events(Growing(), tmp_path / "out")

        assert done.events == 1000

    async def test_an_unknown_format_is_refused_before_there_is_a_file(self, store, tmp_path):
        with pytest.raises(ValueError, match="format must be one of jsonl, csv, parquet, got 'xml'"):
            await export_events(store, tmp_path / "out", format="xml")

        assert not (tmp_path / "out").exists()

    async def test_without_pyarrow_the_extra_is_named_and_nothing_written(self, store, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        folder = tmp_path / "exports"
        folder.mkdir()

        with pytest.raises(
            MissingExtra, match=re.escape('pyarrow is not installed: run  pip install "par-sdk[parquet]"')
        ):
            await export_events(store, folder / "out", format="parquet")

        assert list(folder.iterdir()) == []


# names as a store returns them: whatever is UTF-8; contents: whatever a model may write
names = st.text(st.characters(exclude_categories=["Cs"])) | st.from_regex(
    r"[=+\-@;\"',\t\r\n|＝ a1]{1,8}", fullmatch=True
)
contents = st.text(st.characters(exclude_categories=[])) | st.from_regex(
    r"[=+\-@;\"',\t\r\n|＝ a1]{1,20}", fullmatch=True
)


def csv_of(*stored):
    file = io.BytesIO()
    rows = CsvRows(file)
    rows.write(stored)
    rows.end()
    return file.getvalue()


@given(session=names, run=names, parent=st.none() | names, content=contents)
def test_csv_gives_back_every_text(session, run, parent, content):
    stored = envelope(session, run=run, parent=parent, content=content)

    (found,) = [from_csv(row) for row in rows_of(csv_of(stored))[1:]]

    assert found == stored


@given(session=names, run=names, parent=st.none() | names, content=contents)
def test_no_cell_of_csv_begins_as_a_formula_however_a_spreadsheet_splits_it(session, run, parent, content):
    stored = envelope(session, run=run, parent=parent, content=content)

    text = csv_of(stored).decode()

    assert text.count("\r\n") == 2 and text.count("\n") == 2
    for separator in ",;\t":
        cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) for cell in row]
        assert [cell for cell in cells if FORMULA.match(cell)] == []
    assert isinstance(load_json(rows_of(text.encode())[1][-1]), dict)
