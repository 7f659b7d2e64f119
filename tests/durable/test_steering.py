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
        sent = max([0, *(ack["number"] for number in range(len(senders)) for ack in acks_of(lab, number))])
    listener.succeed()
    for sender in senders:
        sender.kill()
        sender.wait()

    seen = look(lab)

    told = [one.text for turn in seen.turns for one in turn.messages if isinstance(one, User)][1:]
    # a sender that was killed before it was told of its success may have sent its last note, so it is sent again
    assert sorted(set(told), key=number_of) == [f"note {number}" for number in range(1, NOTES + 1)][: len(set(told))]
    assert len(told) - len(set(told)) <= len(senders) - 1
    assert [
        message.text for one in seen.events if isinstance(one.event, MessagesReceived) for message in one.event.messages
    ] == told
    assert seen.broken == ()
    assert kills > 1


def number_of(note):
    return int(note.split()[1])


def start_listener(lab):
    return lab.nursery.start("listen", lab.backend, place=lab.place, session="listening", notes=NOTES, pause_s=0.01)


def start_sender(lab, first, number):
    acks = str(lab.folder / f"sender{number}.acks")
    return lab.nursery.start(
        "send",
        lab.backend,
        place=lab.place,
        session="listening",
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
            return await observe(store, "listening", ledger_file=lab.folder / "none")

    return anyio.run(looking)
