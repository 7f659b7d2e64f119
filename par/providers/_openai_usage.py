"""What an answer cost, from wherever servers of chat completions put it and whatever they call it."""

from par._json import JsonObject
from par.providers._reading import count, obj
from par.usage import Usage

__all__ = ["usage_of"]


def usage_of(body: JsonObject, choice: JsonObject) -> Usage | None:
    """Read the usage of the body, of Groq's ``x_groq``, of the choice, or of its message; ``None`` if there is none."""
    usage = (
        obj(body.get("usage"))
        or obj(obj(body.get("x_groq")).get("usage"))
        or obj(choice.get("usage"))
        or obj(obj(choice.get("message") or choice.get("delta")).get("usage"))
    )
    if not usage:
        return None
    read = obj(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    written = obj(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    reasoning = count(written.get("reasoning_tokens")) or count(usage.get("reasoning_tokens"))
    given = count(usage.get("prompt_tokens")) or count(usage.get("input_tokens"))
    output = count(usage.get("completion_tokens")) or count(usage.get("output_tokens"))
    if _beside(given, output, reasoning, count(usage.get("total_tokens"))):
        output += reasoning
    return Usage(
        input_tokens=given,
        output_tokens=output,
        reasoning_tokens=reasoning,
        cache_read_tokens=_first(read, "cached_tokens")
        or _first(usage, "prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens", "num_cached_tokens"),
        cache_write_tokens=_first(read, "cache_write_tokens") or _first(usage, "cache_creation_input_tokens"),
        requests=1,
    )


def _beside(given: int, output: int, reasoning: int, total: int) -> bool:
    """Tell whether the server counts reasoning beside the output; par counts it within."""
    if not reasoning:
        return False
    if total:
        return total == given + output + reasoning
    return reasoning > output


def _first(usage: JsonObject, *names: str) -> int:
    return next((n for n in [count(usage.get(name)) for name in names] if n), 0)
