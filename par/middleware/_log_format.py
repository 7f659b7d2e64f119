"""Helpers for the handlers of an application: records as JSON, and the ids of the call on every record."""

import json
import logging
from datetime import UTC, datetime
from typing import final

from par.middleware._logging import CURRENT

__all__ = ["CorrelationFilter", "JsonFormatter"]

_IDS = ("par_run_id", "par_session_id", "par_agent", "par_step", "par_call_id")


@final
class CorrelationFilter(logging.Filter):
    """Puts the ids of the call at hand on every record that passes, for handlers of any logger.

    The ids follow the tasks and worker threads of a call. Lets every record through; needs ``Logging`` in the list.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids, ``None`` outside a call; what ``Logging`` has set itself stays."""
        ctx = CURRENT.get()
        values: tuple[object, ...] = (None,) * len(_IDS)
        if ctx is not None:
            values = (ctx.run_id, ctx.session_id, ctx.agent, ctx.step, ctx.call_id or None)
        for name, value in zip(_IDS, values, strict=True):
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


@final
class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: ``at``, ``level``, ``logger``, ``message`` and every ``par_`` field."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what has no JSON form appears as its text."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields: dict[str, object] = record.__dict__
        line |= {name: value for name, value in fields.items() if name.startswith("par_") and value is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
