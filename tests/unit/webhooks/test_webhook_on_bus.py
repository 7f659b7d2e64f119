"""On a bus a webhook's failures end in another attempt, or in a dead letter that can be delivered again."""

import logging

import pytest
from unit.bus.made import envelope
from unit.webhooks.receiver import OK, OTHER, SECRET, receiving, status

from par import Agent, Runtime
from par.bus import BusOptions, DeliveryPolicy, EventBus
from par.events import RunEnded
from par.testing import ScriptedModel, say
from par.webhooks import Webhook

pytestmark = pytest.mark.anyio

FAST = DeliveryPolicy(retries=2, base_s=0.001)


async def letters(bus):
    return [(one.subscriber, one.attempts, one.error.type) for one in await bus.dead_letters.find()]


async def test_the_end_of_a_run_is_posted():
    async with receiving() as receiver, Runtime(bus=BusOptions()) as rt:
        rt.bus.subscribe(Webhook(receiver.url(), secret=SECRET), RunEnded, name="hook")
        await rt.run(Agent(ScriptedModel([say("Hello.")])), "Say hello", session="s")
        await rt.bus.drained()

        assert receiver.header("Par-Event") == "run_ended"
        receiver.check()


async def test_a_failure_that_may_pass_is_tried_again():
    async with receiving(status("503 S"), status("429 M"), OK) as receiver, EventBus() as bus:
        bus.subscribe(Webhook(receiver.url(), secret=SECRET), name="hook", policy=FAST)
        bus.publish(envelope())
        await bus.drained()

        assert len(receiver.bodies) == 3
        assert await letters(bus) == []


async def test_what_fails_each_time_becomes_a_letter_that_is_replayed_once_the_receiver_is_back():
    async with receiving(*[status("503 S")] * 3, OK) as receiver, EventBus() as bus:
        bus.subscribe(Webhook(receiver.url(), secret=SECRET), name="hook", policy=FAST)
        bus.publish(envelope())
        await bus.drained()
        assert await letters(bus) == [("hook", 3, "DeliveryFailed")]

        done = await bus.replay(subscriber="hook")

        assert (len(done.delivered), await letters(bus)) == (1, [])
        receiver.check()


async def test_what_is_refused_becomes_a_letter_at_once_and_can_be_replayed():
    async with receiving(status("404 N"), status("410 G"), OK) as receiver, EventBus() as bus:
        bus.subscribe(Webhook(receiver.url(), secret=SECRET), name="hook", policy=FAST)
        bus.publish(envelope())
        await bus.drained()
        assert await letters(bus) == [("hook", 1, "DeliveryRefused")]

        first = await bus.replay(subscriber="hook")
        assert (len(first.failed), await letters(bus)) == (1, [("hook", 2, "DeliveryRefused")])
        assert len((await bus.replay(subscriber="hook")).delivered) == 1

        assert len(receiver.bodies) == 3


async def test_letters_and_logs_tell_neither_the_secrets_nor_the_path(caplog):
    caplog.set_level(logging.DEBUG)
    async with receiving(status("500 S"), b"", status("404 N")) as receiver, EventBus() as bus:
        webhook = Webhook(receiver.url("/the-secret-path"), secret=SECRET, previous_secret=OTHER)
        bus.subscribe(webhook, name="hook", policy=FAST)
        bus.publish(envelope())
        await bus.drained()
        (letter,) = await bus.dead_letters.find()

    told = caplog.text + repr(letter) + repr(webhook)
    assert "DeliveryRefused" in told
    assert [secret for secret in (SECRET, OTHER, "the-secret-path") if secret in told] == []
