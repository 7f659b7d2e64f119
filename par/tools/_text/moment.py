"""The tool that tells the time."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from par import Param, RunContext, tool
from par.errors import ToolFailed

__all__ = ["Moment", "get_time"]


@attrs.frozen(kw_only=True)
class Moment:
    """What ``get_time`` returns."""

    time: str
    """ISO 8601 with seconds and offset."""
    weekday: str
    unix_s: int


# "idempotent" and not "read": a cache may repeat what a "read" answered, and would stop the clock
@tool(effect="idempotent", timeout=5.0)
def get_time(
    ctx: RunContext[object],
    zone: Annotated[
        str, Param(description='an IANA time zone such as "Europe/Paris"', max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")
    ] = "UTC",
) -> Moment:
    """Tell the present date and time."""
    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones is an OSError
        raise ToolFailed(
            f'There is no time zone {zone!r}. Send an IANA name such as "UTC", "Europe/Paris" or "America/New_York".'
        ) from None
    now = ctx.port.clock.now()
    local = now.astimezone(place)
    return Moment(
        time=local.isoformat(timespec="seconds"), weekday=_WEEKDAYS[local.weekday()], unix_s=int(now.timestamp())
    )


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")  # strftime knows locales
