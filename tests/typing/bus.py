"""The event bus, as the type checkers see it; read, not run."""

from typing import assert_type

from par import Event, Runtime
from par.bus import BusOptions, DeadLetter, Delivery, DeliveryPolicy, EventBus, EventStream, Replay, Subscription
from par.events import BashCompleted, RunEnded, RunStarted, ToolCallEnded, ToolCallStarted


async def of_one(delivery: Delivery[ToolCallEnded]) -> None:
    assert_type(delivery.event, ToolCallEnded)
    assert_type(delivery.event.content, str)


async def of_two(delivery: Delivery[ToolCallEnded | BashCompleted]) -> int:
    return 3


def in_a_thread(delivery: Delivery[ToolCallEnded]) -> None: ...


async def of_all(delivery: Delivery[Event]) -> None:
    assert_type(delivery.event, Event)


class WithState:
    async def method(self, delivery: Delivery[RunEnded]) -> None: ...

    async def __call__(self, delivery: Delivery[RunEnded]) -> None: ...


def no_handler() -> None: ...


def subscribing(bus: EventBus) -> None:
    assert_type(bus.subscribe(of_one, ToolCallEnded), Subscription)
    bus.subscribe(of_two, ToolCallEnded, BashCompleted, name="two", session="s", policy=DeliveryPolicy(retries=0))
    bus.subscribe(in_a_thread, ToolCallEnded)
    bus.subscribe(WithState().method, RunEnded)
    bus.subscribe(WithState(), RunEnded, name="object")
    bus.subscribe(of_all)
    # who takes more than it is given is given less
    bus.subscribe(of_two, ToolCallEnded)
    bus.subscribe(of_all, ToolCallEnded, RunEnded)
    bus.subscribe(of_all, ToolCallEnded, RunEnded, RunStarted, ToolCallStarted, BashCompleted)


def mistakes(bus: EventBus) -> None:
    bus.subscribe(of_one, BashCompleted)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    bus.subscribe(of_one, ToolCallEnded, BashCompleted)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    bus.subscribe(of_one)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    bus.subscribe(no_handler, ToolCallEnded)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]
    bus.subscribe(of_all, str)  # type: ignore[type-var, arg-type] # pyright: ignore[reportCallIssue, reportArgumentType]


async def streams(bus: EventBus) -> None:
    async with bus.stream(ToolCallEnded) as events:
        assert_type(events, EventStream[ToolCallEnded])
        async for delivery in events:
            assert_type(delivery.event, ToolCallEnded)
    async with bus.stream(ToolCallEnded, RunEnded, session="s", queue=3, when_full="drop_newest") as two:
        async for either in two:
            assert_type(either.event, ToolCallEnded | RunEnded)
    async with bus.stream() as everything:
        assert_type(everything, EventStream[Event])


async def of_a_runtime() -> None:
    async with Runtime(bus=BusOptions(drain_s=1)) as rt:
        assert_type(rt.bus, EventBus)
        assert_type(await rt.bus.replay(), Replay)
        assert_type(await rt.bus.dead_letters.find(subscriber="x"), tuple[DeadLetter, ...])
