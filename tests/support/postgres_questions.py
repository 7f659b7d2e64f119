"""The questions of docs/how-to/audit-in-postgres.md, with values that fit some stored events."""

import re
from datetime import timedelta
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/how-to/audit-in-postgres.md"
_FENCE = re.compile(r"^-- (?P<name>[^\n]+)\n(?P<sql>.*?;)$", re.MULTILINE | re.DOTALL)


def _statements():
    """Return the statements of the page by the comment above each."""
    text = PAGE.read_text(encoding="utf-8")
    fences = re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return {match["name"]: match["sql"].rstrip(";") for fence in fences for match in _FENCE.finditer(fence)}


def _span(days):
    return lambda stored: (stored[len(stored) // 2].at, stored[len(stored) // 2].at + timedelta(days=days))


def _name(kind, field):
    return lambda stored: next(getattr(one.event, field) for one in stored if type(one.event).__name__ == kind)


VALUES = {
    "everything that happened in a session": lambda stored: (stored[100].session,),
    "everything that happened in a run": lambda stored: (stored[100].run,),
    "events of a kind in a span of time": lambda stored: ("tool_call_ended", *_span(1)(stored)),
    "calls of a tool": lambda stored: (_name("ToolCallStarted", "name")(stored), *_span(7)(stored)),
    "what failed": _span(7),
    "commands by what they do": lambda stored: (_name("BashInvoked", "op")(stored), *_span(7)(stored)),
    "cost per day and model": _span(30),
    "who approved what": _span(30),
    "sessions by their last activity": lambda stored: (),
    "where an id appears": lambda stored: (stored[100].event.call_id,),
}

_ALL = _statements()
QUESTIONS = {name: (statement, VALUES[name]) for name, statement in _ALL.items() if name in VALUES}
"""Statement, and what makes its parameters out of the stored events, by name."""


def scanned_whole(plan):
    """Return the tables with rows in them of which an analysed plan reads every row."""
    found = []
    rows = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    if plan["Node Type"].endswith("Seq Scan") and rows and re.match(r"event_|head$", plan["Relation Name"]):
        found.append(plan["Relation Name"])
    for part in plan.get("Plans", ()):
        found += scanned_whole(part)
    return found
