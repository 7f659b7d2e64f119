"""Messages to a running session, from another process, while the processes of both are killed."""

import random
import time

import anyio
import pytest
from durable.checks import observe, read_acks
from durable.opening import open_place

from par.events import MessagesReceived
from par.messages import User

NOTES = 12


@pytest.mark.timeout(120)
def test_each_message_is_seen_by_one_model_call_once_across_kills(lab):
    draw = random.Random(11)
    listener = start_listener(lab)
    sent, senders, kills = 0, [], 0
    while not listener.ended:
        if (not senders or senders[-1].ended) and sent < NOTES:
            senders.append(start_sender(lab, sent + 1, len(senders)))
        time.sleep(draw.uniform(0.02, 0.12))
        if kills < 8 and draw.random() < 0.6:
            listener.kill()
            kills += listener.wait() == -9
            listener = start_listener(lab)
        if senders and draw.random() < 0.3:
            senders[-1].kill()
            senders[-1].wait()
        sent = max([
            0,
            *(int(ack["note"].split()[1]) for number in range(len(senders)) for ack in acks_of(lab, number)),
        ])
    listener.succeed()
    for sender in senders:
        sender.kill()
        sender.wait()

    seen, waiting = look(lab)

    told = [one.text for turn in seen.turns for one in turn.messages if isinstance(one, User)][1:]
    acknowledged = {ack["note"] for number in range(len(senders)) for ack in acks_of(lab, number)}
    assert len(told) == len(set(told))
    assert {text.split()[1] for text in told} == {str(number) for number in range(1, NOTES + 1)}
    assert acknowledged <= {*told, *waiting}  # one that was sent again, after the end
    assert not set(told) & waiting
    for sender in range(len(senders)):
        numbers = [int(text.split()[1]) for text in told if text.endswith(f" {sender}")]
        assert numbers == sorted(numbers)
    calls = {}
    for one in seen.events:
        for message in one.event.messages if isinstance(one.event, MessagesReceived) else ():
            calls.setdefault(message.text, set()).add(one.event.call_id)  # told again where the call was made again
    assert {note: len(ids) for note, ids in calls.items()} == dict.fromkeys(told, 1)
    assert seen.broken == ()
    assert kills > 1


def start_listener(lab):
    return lab.nursery.start("listen", lab.backend, place=lab.place, session="listening", notes=NOTES, pause_s=0.01)


def start_sender(lab, first, number):
    acks = str(lab.folder / f"sender{number}.acks")
    return lab.nursery.start(
        "send",
        lab.backend,
        place=lab.place,
        session="listening",
        sender=number,
        first=first,
        last=NOTES,
        acks=acks,
        pause_s=0.01,
    )


def acks_of(lab, number):
    return read_acks(lab.folder / f"sender{number}.acks")


def look(lab):
    async def looking():
        async with open_place(lab.place) as store:
            seen = await observe(store, "listening", ledger_file=lab.folder / "none")
            waiting = await store.session_log().inbox("listening")
            return seen, {signal.body["text"] for signal in waiting}

    return anyio.run(looking)
