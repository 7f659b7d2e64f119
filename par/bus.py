"""The event bus: ``runtime.bus`` brings what was recorded to handlers and streams, and keeps what could not be."""

from par._bus.bus import EventBus
from par._bus.delivery import Delivery
from par._bus.letters import DeadLetter, DeadLetterStore, Reason
from par._bus.memory import MemoryDeadLetters
from par._bus.options import BusOptions, DeliveryPolicy, WhenFull
from par._bus.replay import Replay
from par._bus.stream import EventStream
from par._bus.switchboard import Subscription

__all__ = [
    "BusOptions",
    "DeadLetter",
    "DeadLetterStore",
    "Delivery",
    "DeliveryPolicy",
    "EventBus",
    "EventStream",
    "MemoryDeadLetters",
    "Reason",
    "Replay",
    "Subscription",
    "WhenFull",
]
