"""What every provider must do, as scenarios for the tests of one's own provider.

Each scenario is a ``ProviderServer`` with a script and what must come of it; ``await scenario(subject)`` plays it on
the event loop of the caller. A provider of one's own is tested with pytest so::

    @pytest.mark.parametrize("scenario", ALL_SCENARIOS, ids=str)
    async def test_my_provider(scenario):
        await scenario(Subject(api="chat", open=my_provider))
"""

from par.testing._contract.answers import ANSWERS
from par.testing._contract.content import CONTENT
from par.testing._contract.failures import FAILURES
from par.testing._contract.scenario import Scenario
from par.testing._contract.streams import STREAMS
from par.testing._contract.subject import Capability, ContractBroken, Subject
from par.testing._contract.tools import TOOLS

__all__ = ["ALL_SCENARIOS", "Capability", "ContractBroken", "Scenario", "Subject"]

ALL_SCENARIOS: tuple[Scenario, ...] = (*ANSWERS, *TOOLS, *CONTENT, *FAILURES, *STREAMS)
"""All of them."""
