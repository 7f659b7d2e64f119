"""The seven middleware in their order."""

from par._pipeline.middleware import Middleware
from par.middleware._logging import Logging
from par.middleware._pii_mask import PiiMask
from par.middleware._rate_limit import RateLimit
from par.middleware._retry import Retry
from par.middleware._sanitize import Sanitize
from par.middleware._timeout import Timeout
from par.middleware._validation import Validation

__all__ = ["default_chain"]


def default_chain(
    *,
    logging: Logging | None = None,
    retry: Retry | None = None,
    rate_limit: RateLimit | None = None,
    timeout: Timeout | None = None,
    validation: Validation | None = None,
    pii_mask: PiiMask | None = None,
    sanitize: Sanitize | None = None,
) -> tuple[Middleware, ...]:
    """Return the seven middleware, outermost first; what is given takes the place of the default.

    Each call returns fresh objects, so that agents share a rate limiter or a vault only if they are given one. The
    default limiter allows 600 requests a minute, the default mask redacts.
    """
    return (
        logging or Logging(),
        retry or Retry(),
        rate_limit or RateLimit(),
        timeout or Timeout(),
        validation or Validation(),
        pii_mask or PiiMask(),
        sanitize or Sanitize(),
    )
