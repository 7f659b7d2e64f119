import pytest

from par.persistence import open_sqlite


@pytest.fixture
async def store(tmp_path):
    async with open_sqlite(tmp_path / "sessions.db", durability="process") as opened:
        yield opened
