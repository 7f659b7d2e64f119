"""Where the cost of a reply comes from, and what happens where there is none."""

import attrs
import pytest
from unit.middleware.driving import Script, drive_model, model_call, reply
from unit.middleware.test_budget import PRICES, SPENT

from par.errors import UnknownPrice
from par.middleware import Budget, Pricing

pytestmark = pytest.mark.anyio


class Source:
    """Knows two models."""

    def __init__(self):
        self.asked = []

    def cost_micro(self, model, usage, /):
        self.asked.append(model)
        return {"there:c": 77, "there:c-2": 88, "there:a": 99, "bare": 66}.get(model)


async def cost(layer, asked, answered=""):
    script = Script([reply("ok", usage=SPENT, model=answered)])
    return (await drive_model([layer], script, attrs.evolve(model_call(), model=asked))).usage.cost_micro


@pytest.mark.parametrize(
    ("asked", "answered", "expected"),
    [
        ("there:c", "", 77),
        ("there:c", "c-2", 88),  # at the provider that was asked
        ("there:c", "c-9", 77),
        ("there:a", "", 1700),  # the list goes first
        ("bare", "", 66),
    ],
)
async def test_a_source_is_asked_for_what_the_list_does_not_have(asked, answered, expected):
    assert await cost(Pricing(prices=PRICES, source=Source()), asked, answered) == expected
    assert await cost(Budget(cost_micro=10**9, prices=PRICES, source=Source()), asked, answered) == expected


async def test_a_source_alone_is_enough():
    assert await cost(Pricing(source=Source()), "there:c") == 77
    assert await cost(Budget(cost_micro=10**9, source=Source()), "there:c") == 77


@pytest.mark.parametrize("layer", [Pricing(source=Source()), Budget(cost_micro=10**9, source=Source())])
async def test_a_model_without_a_price_is_not_called(layer):
    script = Script([reply("ok", usage=SPENT)])

    with pytest.raises(UnknownPrice, match="there:d") as caught:
        await drive_model([layer], script, attrs.evolve(model_call(), model="there:d"))

    assert caught.value.model == "there:d"
    assert not script.calls


async def test_a_model_without_a_price_adds_nothing_where_that_is_said():
    assert await cost(Pricing(source=Source(), unknown="no_cost"), "there:d") == 0


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({}, "prices or source"),
        ({"source": 5}, "source"),
        ({"source": Source}, "source"),
        ({"source": Source(), "unknown": "zero"}, "unknown"),
    ],
)
def test_what_is_no_source_is_refused(facts, match):
    with pytest.raises((TypeError, ValueError), match=match):
        Pricing(**facts)
