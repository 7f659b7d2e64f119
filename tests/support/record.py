"""What must be true of the record of any run, however it ended."""

from par.events import ModelCallEnded, ModelCallStarted, RunEnded, RunStarted, ToolCallEnded, ToolCallStarted


def record_problems(envelopes) -> list[str]:
    """Return what is wrong with the events that a store has; nothing: they are a whole record."""
    problems = []
    for session in {e.session for e in envelopes}:
        seqs = [e.seq for e in envelopes if e.session == session]
        if seqs != list(range(1, len(seqs) + 1)):
            problems.append(f"the numbers of {session} are {seqs}")
    for run in {e.run for e in envelopes}:
        events = [e.event for e in envelopes if e.run == run]
        ends = [event for event in events if isinstance(event, RunEnded)]
        if len(ends) != 1 or events[-1] is not ends[0]:
            problems.append(f"{run} has {len(ends)} ends, and the last event is {type(events[-1]).__name__}")
        if len([event for event in events if isinstance(event, RunStarted)]) > 1:
            problems.append(f"{run} began more than once")
        for started, ended in ((ModelCallStarted, ModelCallEnded), (ToolCallStarted, ToolCallEnded)):
            begun = [event.call_id for event in events if isinstance(event, started)]
            over = [event.call_id for event in events if isinstance(event, ended)]
            problems += [f"{run}: {call} began {begun.count(call)} times" for call in {*begun} if begun.count(call) > 1]
            problems += [f"{run}: {call} ended {over.count(call)} times" for call in {*begun} if over.count(call) != 1]
    return problems
