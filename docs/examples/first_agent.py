import time

from par import Agent, ModelCall, ModelHandler, ModelReply, RunContext, tool, wrap_model
from par.testing import ScriptedModel, call, say


@tool(effect="read", timeout=5.0)
async def weather(ctx: RunContext, city: str) -> str:
    """Tell the weather of a city."""
    await ctx.progress(f"looking out of a window in {city}")
    return f"sunny in {city}"


@wrap_model
async def stopwatch(call: ModelCall, call_next: ModelHandler) -> ModelReply:
    started = time.perf_counter()
    reply = await call_next(call)
    print(f"model call {call.ctx.step} took {time.perf_counter() - started:.3f} s")
    return reply


# a scripted model needs no key; with one, write "openai:gpt-5-mini" or "anthropic:claude-sonnet-4-5"
model = ScriptedModel([call("weather", city="Paris"), say("It is sunny in Paris.")])
agent = Agent(model, instructions="Answer in one sentence.", tools=[weather], middleware=[stopwatch])

if __name__ == "__main__":
    result = agent.run_sync("How is the weather in Paris?")
    print(result.output, result.steps, result.stop_reason)
