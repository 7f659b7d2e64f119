"""The suite of every store, on a real Postgres; each test has a scope of its own in one database."""

from itertools import count

import pytest
from contract.test_store_contract import *  # noqa: F403 # the tests are what is meant
from unit.persistence.made import envelope

from par.errors import StoreError
from par.persistence._postgres_open import open_postgres

NUMBERS = count(1)


@pytest.fixture(scope="module")
def dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture
def opened(dsn):
    scope = f"scope {next(NUMBERS)}"
    return lambda: open_postgres(dsn, scope=scope)


@pytest.mark.parametrize("name", ["", "order 42", "it's", "a\nb", "漢", "%"])
async def test_any_name_of_a_session_is_kept_apart_from_others(opened, name):
    async with opened() as store:
        await store.append([stored := envelope(name)])
        await store.append([envelope("another")])

        assert await store.events(name) == (stored,)
        assert (await store.verify(name)).events == 1
        assert (await store.verify()).events == 2


@pytest.mark.parametrize("field", ["session", "id", "run", "parent"])
async def test_a_nul_in_a_name_is_refused_and_nothing_else(opened, field):
    async with opened() as store:
        with pytest.raises(StoreError, match="no NUL in names"):
            await store.append([envelope(**{field: "a\x00b"})])
        await store.append([good := envelope(content="a\x00b")])

        assert await store.events() == (good,)
