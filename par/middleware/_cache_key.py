"""What makes two calls the same."""

import json
from hashlib import sha256

from par.calls import ModelCall, ToolCall

__all__ = ["model_key", "tool_key"]


def model_key(call: ModelCall) -> str:
    """Return a digest of all that the model is told."""
    output = None if call.output is None else (call.output.name, call.output.schema)
    # the representation names the class of each message and tells 1 from 1.0 and True, as equality does not
    told = repr((call.model, call.messages, call.tools, call.settings, output))
    return sha256(told.encode(errors="surrogatepass")).hexdigest()


def tool_key(call: ToolCall) -> str:
    """Return a digest of a tool's name and its arguments, whatever the order of their keys."""
    told = json.dumps([call.name, call.arguments], sort_keys=True)
    return sha256(told.encode(errors="surrogatepass")).hexdigest()
