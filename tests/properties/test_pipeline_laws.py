"""The laws of composition: identity, associativity, and one answer for each call."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from par._pipeline.onion import compose

NAMES = st.text(alphabet="abc", max_size=3)
KINDS = st.sampled_from(["before", "after", "both", "shut", "twice", "raise", "catch"])
LAYERS = st.lists(st.tuples(KINDS, NAMES), max_size=5)
TRACES = st.lists(NAMES, max_size=3).map(tuple)


async def handler(trace):
    return (*trace, "handled")


def layer(kind, name):
    async def around(trace, call_next):
        match kind:
            case "before":
                return await call_next((*trace, name))
            case "after":
                return (*(await call_next(trace)), name)
            case "both":
                return (*(await call_next((*trace, name))), name)
            case "shut":
                return (*trace, name)
            case "twice":
                return (*(await call_next(trace)), *(await call_next((name,))))
            case "raise":
                await call_next(trace)
                raise KeyError(name)
        try:
            return await call_next(trace)
        except KeyError as error:
            return (*trace, "caught", *error.args)

    return around


def built(parts):
    return [layer(kind, name) for kind, name in parts]


def outcome(handle, trace):
    try:
        return asyncio.run(handle(trace))
    except KeyError as error:
        return error.args


def as_one(layers):
    """Return several layers as one."""

    async def around(trace, call_next):
        return await compose(layers, call_next)(trace)

    return around


@given(TRACES)
def test_no_layers_change_nothing(trace):
    assert outcome(compose([], handler), trace) == outcome(handler, trace)


@given(LAYERS, LAYERS, TRACES)
def test_layers_around_a_composition_are_one_composition(outer, inner, trace):
    nested = compose(built(outer), compose(built(inner), handler))

    assert outcome(nested, trace) == outcome(compose(built(outer + inner), handler), trace)


@given(LAYERS, LAYERS, LAYERS, TRACES)
def test_grouping_layers_changes_nothing(first, second, third, trace):
    left = compose([as_one(built(first + second)), *built(third)], handler)
    right = compose([*built(first), as_one(built(second + third))], handler)

    assert outcome(left, trace) == outcome(right, trace)


@given(LAYERS, TRACES)
def test_a_layer_that_passes_on_changes_nothing_wherever_it_stands(parts, trace):
    async def through(trace, call_next):
        return await call_next(trace)

    layers = built(parts)
    expected = outcome(compose(layers, handler), trace)

    assert [
        outcome(compose([*layers[:place], through, *layers[place:]], handler), trace)
        for place in range(len(layers) + 1)
    ] == [expected] * (len(layers) + 1)


@given(LAYERS, TRACES)
def test_one_onion_serves_any_number_of_calls(parts, trace):
    handle = compose(built(parts), handler)

    assert outcome(handle, trace) == outcome(handle, trace)
