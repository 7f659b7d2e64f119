"""A run that goes on with another's turn stands in an audit as a run of its own, with the runs that it started."""

from datetime import timedelta

from unit.cli.audit_scene import START, Place, Writer, ended, run, started, tool

from par.events import RunResumed


def test_a_resumed_run_is_shown_with_the_turn_that_it_goes_on_with_and_its_inner_runs(capsys, tmp_path):
    first = Writer(run="run-1").all(started(), *tool())
    outer = Writer(run="run-2")
    outer.seq = len(first)
    resumed = RunResumed(agent="brewer", model="kettle:1", turn=2, turn_id="run-1", attempt=2, steps=1)
    second = outer.all(resumed, *tool("c2"), ended())
    inner = Writer("inner", run="run-3", parent="run-2", start=START + timedelta(seconds=0.4))
    place = Place(str(tmp_path / "audit.db")).fill(*first, *second, *inner.all(started(agent="helper")))

    code, lines, _ = run(capsys, "show", "tea", place.name)

    assert code == 0
    assert "run run-2  agent brewer, model kettle:1" in lines
    assert "goes on with turn 2, which run run-1 began" in lines
    assert "    run run-3  agent helper, model kettle:1" in lines
