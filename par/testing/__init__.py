"""What tests of agents need: a scripted model, and helpers to write its script."""

from par.testing._scripted import ScriptedModel, ScriptExhausted, call, fail, say

__all__ = ["ScriptExhausted", "ScriptedModel", "call", "fail", "say"]
