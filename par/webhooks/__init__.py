"""Events brought to a URL, signed and retried, and the check of their signatures for those who receive them.

To send them needs the extra ``web``, to check them nothing.
"""

from par.webhooks._client import WebhookAnswer, WebhookClient, WebhookHttpClient
from par.webhooks._signature import EVENT_HEADER, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign, verify_signature
from par.webhooks._webhook import Webhook

__all__ = [
    "EVENT_HEADER",
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "Webhook",
    "WebhookAnswer",
    "WebhookClient",
    "WebhookHttpClient",
    "sign",
    "verify_signature",
]
