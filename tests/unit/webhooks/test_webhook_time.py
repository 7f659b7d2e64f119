"""An attempt has the time that the webhook gives it, whatever sends."""

import anyio
import pytest
from unit.bus.made import envelope
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401
from unit.webhooks.receiver import SECRET

from par.bus import Delivery
from par.errors import DeliveryFailed
from par.webhooks import Webhook

pytestmark = pytest.mark.anyio


class Silent:
    """A client that never comes back."""

    async def post(self, url, /, *, headers, body):
        await anyio.sleep_forever()


@pytest.mark.parametrize(("given", "waited_s"), [({}, 5), ({"timeout_s": 60}, 60)], ids=["by default", "given"])
async def test_an_attempt_ends_after_its_time(given, waited_s):
    made = envelope()
    webhook = Webhook("https://example.com/", secret=SECRET, client=Silent(), **given)
    began = anyio.current_time()

    with pytest.raises(DeliveryFailed, match=f"longer than {waited_s} s"):
        await webhook(Delivery(made.event, made))

    assert anyio.current_time() - began == pytest.approx(waited_s)
