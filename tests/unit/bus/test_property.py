"""Whatever fails, each event reaches each subscriber once or is kept once as a dead letter, and in order."""

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.bus.made import envelope

from par.bus import BusOptions, DeliveryPolicy, EventBus, MemoryDeadLetters
from par.errors import StoreUnavailable
from par.testing import virtual_time

NAMES = ("a", "b")

OUTCOMES = st.sampled_from(["done", "done", "slow", "raise", "hang", "stray"])
STEPS = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.3, 1.0, 7.0])),
    st.tuples(st.sampled_from(["close", "cancel", "replay", "subscribe"]), st.sampled_from(NAMES)),
)
POLICIES = st.builds(
    DeliveryPolicy,
    queue=st.integers(1, 5),
    timeout_s=st.just(2.0),
    retries=st.integers(0, 2),
    base_s=st.just(0.5),
    jitter=st.booleans(),
)


class Unsteady:
    """Fails to store letters as often as it is told to."""

    def __init__(self, failures):
        self._failures = failures
        self._inner = MemoryDeadLetters()

    async def put(self, letters, /):
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("letters", "away")
        await self._inner.put(letters)

    def __getattr__(self, name):
        return getattr(self._inner, name)


class Play:
    """Plays the steps against a bus and remembers what was published to whom, and what was delivered."""

    def __init__(self, backend, outcomes, policy):
        self.stray = backend == "asyncio"
        self.outcomes = list(outcomes)
        self.policy = policy
        self.seq = 0
        self.taking = {}
        self.given = {name: [] for name in NAMES}
        self.done = {name: [] for name in NAMES}
        self.replayed = False

    def handler(self, name):
        async def handle(delivery):
            await anyio.lowlevel.checkpoint()
            outcome = self.outcomes.pop() if self.outcomes else "done"
            if outcome == "slow":
                await anyio.sleep(0.7)
            elif outcome == "hang":
                await anyio.sleep_forever()
            elif outcome == "raise":
                raise KeyError
            elif outcome == "stray" and self.stray:
                import asyncio

                raise asyncio.CancelledError
            self.done[name].append(delivery.envelope.seq)

        return handle

    def subscribe(self, bus, name):
        old = self.taking.get(name)
        if old is None or (old.ended and not old.name_is_taken(bus)):
            self.taking[name] = Taking(bus.subscribe(self.handler(name), name=name, policy=self.policy))

    async def step(self, bus, what, argument):
        if what == "publish":
            for _ in range(argument):
                self.seq += 1
                for name, taking in self.taking.items():
                    if taking.open:
                        self.given[name].append(self.seq)
                bus.publish(envelope(seq=self.seq))
        elif what == "wait":
            await anyio.sleep(argument)
        elif what == "subscribe":
            self.subscribe(bus, argument)
        elif what == "replay":
            if self.taking[argument].open:
                self.replayed = True
                await bus.replay(subscriber=argument)
        else:
            self.taking[argument].end(what)


class Taking:
    """A subscription, and whether it takes events."""

    def __init__(self, subscription):
        self.subscription = subscription
        self.open = True

    @property
    def ended(self):
        return self.subscription.ended

    def name_is_taken(self, bus):
        return self.subscription.name in bus._board.by_name

    def end(self, how):
        self.open = False
        getattr(self.subscription, how)()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=120, deadline=None)
@given(
    outcomes=st.lists(OUTCOMES, max_size=40),
    steps=st.lists(STEPS, max_size=14),
    policy=POLICIES,
    drain_s=st.sampled_from([0.1, 3.0, 100.0]),
    failures=st.integers(0, 3),
    cancelled=st.booleans(),
)
def test_every_event_is_delivered_once_or_kept_once(backend, outcomes, steps, policy, drain_s, failures, cancelled):
    play, letters = Play(backend, outcomes, policy), Unsteady(failures)

    async def main():
        with anyio.CancelScope() as outer:
            async with EventBus(BusOptions(dead_letters=letters, drain_s=drain_s)) as bus:
                for name in NAMES:
                    play.subscribe(bus, name)
                for what, argument in steps:
                    await play.step(bus, what, argument)
                if cancelled:
                    outer.cancel()
                    await anyio.sleep(1)
        return bus.lost, await letters.find(limit=1000)

    name, options = virtual_time(backend)
    lost, kept = anyio.run(main, backend=name, backend_options=options)

    assert lost == 0
    for name in NAMES:
        mine = [one.envelope.seq for one in kept if one.subscriber == name]
        assert sorted([*play.done[name], *mine]) == play.given[name]
        assert play.replayed or play.done[name] == sorted(play.done[name])
