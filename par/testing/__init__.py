"""What tests of agents and of middleware need: a scripted model, driven layers, virtual time."""

from par.testing._drive import Driven, assert_composes, drive_model, drive_tool, model_call, reply, tool_call
from par.testing._scripted import ScriptedModel, ScriptExhausted, call, call_malformed, fail, say
from par.testing._virtual_time import virtual_time

__all__ = [
    "Driven",
    "ScriptExhausted",
    "ScriptedModel",
    "assert_composes",
    "call",
    "call_malformed",
    "drive_model",
    "drive_tool",
    "fail",
    "model_call",
    "reply",
    "say",
    "tool_call",
    "virtual_time",
]
