"""Fifty agents share a limiter against a server that refuses whatever is too much, over real HTTP."""

import anyio
import pytest
from unit.middleware.strict_server import HttpModel, StrictServer

from par import Agent
from par.middleware import RateLimit, Retry

LIMIT = 40
WINDOW_S = 1.0
ROUNDS = 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_after_the_first_learning_nothing_is_refused_and_the_rate_is_used(backend):
    server = StrictServer(LIMIT, WINDOW_S)
    # the limiter begins with ten times too much, and learns from the first answers what is allowed
    chain = [Retry(attempts=10, retries_per_run=None), RateLimit(requests=10 * LIMIT, per_s=WINDOW_S, transit_s=0.09)]
    learned = []

    async def work(model):
        agent = Agent(model, middleware=chain)
        while True:
            await agent.run("go")
            if not learned:
                learned.append(anyio.current_time() + WINDOW_S)  # who was refused has come back by then

    async def main():
        async with server.listening() as port, HttpModel(port) as model, anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(work, model)
            await anyio.sleep(WINDOW_S * (ROUNDS + 2.5))
            group.cancel_scope.cancel()

    anyio.run(main, backend=backend)

    after = [at for at in server.accepted if at > learned[0]]
    used = ROUNDS * WINDOW_S / (after[ROUNDS * LIMIT] - after[0])
    assert server.refused, "there was nothing to learn"
    assert [at - learned[0] for at in server.refused if at > learned[0]] == []
    assert used >= 0.9
