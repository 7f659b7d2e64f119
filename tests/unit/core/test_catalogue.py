"""Prices and context windows as the library has them. The prices here were computed by hand from the providers' pages."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Provider, Tier, TieredPrices

from par import Clock, Usage
from par.catalogue import Catalogue, context_window

SPENT = Usage(input_tokens=1000, cache_read_tokens=400, cache_write_tokens=100, output_tokens=10, reasoning_tokens=8)


def model(name, *, window=None, **prices):
    return ModelInfo(id=name, match=ClauseEquals(equals=name), context_window=window, prices=ModelPrice(**prices))


@pytest.fixture
def books():
    """Prices that no update of the library changes."""
    tiers = TieredPrices(base=Decimal(1), tiers=[Tier(start=1000, price=Decimal(3))])
    models = [
        model("full", window=200_000, input_mtok=Decimal(3), output_mtok=Decimal(15), cache_read_mtok=Decimal("0.3"),
              cache_write_mtok=Decimal("3.75")),
        model("plain", input_mtok=Decimal("1.25"), output_mtok=Decimal(10)),
        model("free", input_mtok=Decimal(0), output_mtok=Decimal(0)),
        model("long", input_mtok=tiers, output_mtok=Decimal(0)),
        model("searches", web_searches_kcount=Decimal(10)),
    ]  # fmt: skip
    there = Provider(id="there", name="There", api_pattern="https://there", models=models)
    set_custom_snapshot(DataSnapshot(providers=[there], from_auto_update=False))
    yield
    set_custom_snapshot(None)


@pytest.mark.parametrize(
    ("name", "usage", "cost"),
    [
        ("there:full", SPENT, 500 * 3 + 400 * 0.3 + 100 * 3.75 + 10 * 15),  # reasoning is part of the output
        ("there:plain", SPENT, 1000 * 1.25 + 10 * 10),
        ("there:plain", Usage(input_tokens=1), 2),  # 1.25 millionths, rounded up
        ("there:plain", Usage(cache_read_tokens=8), 10),  # counted beside the input
        ("there:free", SPENT, 0),
        ("there:long", Usage(input_tokens=900), 900),
        ("there:long", Usage(input_tokens=2000), 6000),
        ("there:none", SPENT, None),
        ("nowhere:full", SPENT, None),
        ("full", SPENT, None),  # at no provider's, by its name alone
        ("there:searches", SPENT, None),
    ],
)
def test_what_a_usage_costs(books, name, usage, cost):
    assert Catalogue().cost_micro(name, usage) == cost


def test_a_context_window_is_told_where_it_is_known(books):
    assert context_window("there:full") == 200_000
    assert context_window("there:plain") is None
    assert context_window("there:none") is None
    assert context_window("nowhere:full") is None


def test_the_price_is_that_of_the_day():
    then = Catalogue(Clock(now=lambda: datetime(2025, 5, 1, tzinfo=UTC)))
    now = Catalogue(Clock(now=lambda: datetime(2026, 11, 30, tzinfo=UTC)))
    usage = Usage(input_tokens=10**6)

    # OpenAI lowered the price of o3 from 10 to 2 dollars on 10 June 2025
    assert then.cost_micro("openai:o3", usage) == 10_000_000
    assert now.cost_micro("openai:o3", usage) == 2_000_000


def test_models_of_the_day_are_known_by_the_strings_of_par():
    then = Catalogue(Clock(now=lambda: datetime(2026, 11, 30, tzinfo=UTC)))

    assert then.cost_micro("anthropic:claude-sonnet-4-5", SPENT) == 2145
    assert then.cost_micro("openai:gpt-5-2025-08-07", SPENT) == 900
    assert context_window("anthropic:claude-sonnet-4-5") == 200_000
    assert context_window("openai:gpt-5") == 400_000


def test_a_model_is_the_same_by_either_api():
    assert context_window("openai-responses:gpt-4o") == context_window("openai:gpt-4o")
    assert context_window("openai:gpt-4o") is not None
