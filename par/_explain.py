"""Say in a few lines how an agent is built."""

from collections.abc import Sequence

from par._engine.plan import Plan
from par._pipeline.middleware import Middleware
from par._pipeline.naming import name_of
from par._pipeline.onion import HOOKS

__all__ = ["explain"]


def explain(plan: Plan, chain: Sequence[Middleware]) -> str:
    """Return the text of ``agent.explain()``."""
    lines = [
        f"agent {plan.name}",
        f"  model    {plan.model_name}",
        f"  output   {plan.output.name if plan.output else 'text'}",
        f"  limits   {plan.max_steps} steps, {plan.max_parallel_tools} tools at once, {plan.max_continuations} continuations",
        "  tools",
    ]
    lines += [f"    {_tool_line(plan, name)}" for name in plan.tools] or ["    none"]
    for hook, what, innermost in zip(
        HOOKS, ("run", "model call", "tool call"), ("the loop", plan.model_name, "the tool"), strict=True
    ):
        layers = [member for member in chain if callable(getattr(member, hook, None))]
        lines.append(f"  around a {what}, outermost first")
        lines += [f"    {_layer_line(member)}" for member in layers]
        lines.append(f"    {innermost}")
    return "\n".join(lines)


def _tool_line(plan: Plan, name: str) -> str:
    spec = plan.tools[name].spec
    limit = "" if spec.timeout_s is None else f", at most {spec.timeout_s:g} s"
    pii = ", sees real values" if spec.sees_pii else ""
    return f"{name} ({spec.effect}{limit}{pii})"


def _layer_line(member: Middleware) -> str:
    held = getattr(member, "holds_back", 0)
    holds = f", holds back up to {held} characters of streamed text" if isinstance(held, int) and held > 0 else ""
    return name_of(member) + holds
