"""What an agent is, in one hash: a turn goes on only with the agent that began it, unless its owner says otherwise."""

from hashlib import sha256

import attrs

from par._engine.plan import Plan
from par._json import Json, JsonObject, dump_json
from par._to_json import to_json

__all__ = ["definition_of"]


def definition_of(plan: Plan) -> str:
    """Return a SHA-256, in hexadecimal, of what the model and the layers are told: the same in every process.

    Of instructions that are a function it holds the function's name, of middleware their names in order, and of tools
    what the model reads, the effect and the timeout: the code inside of them may change.
    """
    instructions: Json = (
        plan.instructions
        if isinstance(plan.instructions, str)
        else {"function": str(getattr(plan.instructions, "__qualname__", type(plan.instructions).__qualname__))}
    )
    parts: JsonObject = {
        "name": plan.name,
        "model": plan.model_name,
        "instructions": instructions,
        "tools": [to_json(attrs.asdict(tool.spec)) for tool in plan.tools.values()],
        "settings": to_json(attrs.asdict(plan.settings)),
        "output": None if plan.output is None else plan.output.schema,
        "limits": [plan.max_steps, plan.max_parallel_tools, plan.max_continuations],
        "layers": list(plan.layers),
    }
    return sha256(dump_json(parts).encode()).hexdigest()
