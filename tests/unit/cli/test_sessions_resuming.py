"""Going on, on the command line, with what another process left."""

import pytest
from unit.cli.sessions_scene import run

ANN = ["--by", "ann", "--role", "manager"]


def resume(capsys, shop, *words, agents=("paying",)):
    named = [word for agent in agents for word in ("--agent", shop.named(agent))]
    return run(capsys, "resume", *words, "--store", shop.place.name, *named)


def approve(capsys, shop, session):
    assert run(capsys, "approve", session, "--store", shop.place.name, *ANN)[0] == 0


def test_what_a_process_left_is_gone_on_with(any_shop, capsys):
    any_shop.leave("s")
    assert any_shop.state("s") == "suspended"
    (any_shop.folder / "there").touch()

    code, lines, err = resume(capsys, any_shop, "s", agents=["looking"])

    assert (code, lines) == (0, ["I see."])
    assert "run      shop goes on with turn 1, 1 step recorded" in err
    assert any_shop.state("s") == "completed"


def test_what_waits_for_a_person_still_waits(shop, capsys):
    shop.run("s")
    (waiting,) = shop.pending("s")

    code, lines, err = resume(capsys, shop, "s")

    assert (code, lines) == (4, [])
    assert f"waits for a person: {waiting.id} May shop call pay" in err
    assert "par sessions approve s ID" in err
    assert shop.paid == []


def test_of_a_turn_that_has_ended_the_answer_is_printed_again(shop, capsys):
    shop.run("s")
    approve(capsys, shop, "s")
    resume(capsys, shop, "s")

    code, lines, err = resume(capsys, shop, "s")

    assert (code, lines) == (0, ["Thank you."])
    assert "ended already" in err
    assert shop.paid == ["5"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop_of_test", "written MODULE:NAME"),
        (":paying", "written MODULE:NAME"),
        ("shop_of_test:", "written MODULE:NAME"),
        ("no_such_module:agent", "cannot be imported: ModuleNotFoundError"),
        ("shop_of_test:missing", "cannot be imported: AttributeError"),
        ("shop_of_test:a_number", "is no Agent, but of the type int"),
    ],
)
def test_what_is_no_agent_is_named(name, said, shop, capsys):
    shop.run("s")

    code, lines, err = run(capsys, "resume", "s", "--store", shop.place.name, "--agent", name)

    assert (code, lines) == (2, [])
    assert said in err
    assert err.count("\n") == 1


def test_a_changed_agent_is_refused_unless_the_turn_is_migrated(shop, capsys):
    shop.run("s")
    approve(capsys, shop, "s")

    code, _, err = resume(capsys, shop, "s", agents=["changed"])
    assert code == 1
    assert "defined otherwise" in err
    assert shop.paid == []

    assert resume(capsys, shop, "s", "--migrate", agents=["changed"])[:2] == (0, ["Changed."])
    assert shop.paid == ["5"]


def test_of_several_agents_it_is_the_one_that_began_the_turn(shop, capsys):
    shop.run("s")
    approve(capsys, shop, "s")

    assert resume(capsys, shop, "s", agents=["other", "paying"])[:2] == (0, ["Thank you."])


def test_a_turn_that_takes_too_long_is_cancelled(shop, capsys):
    shop.leave("s")

    code, lines, err = resume(capsys, shop, "s", "--timeout", "0.1", agents=["looking"])

    assert (code, lines) == (1, [])
    assert "session s: cancelled" in err
    assert shop.state("s") == "cancelled"


def test_all_that_is_due_is_gone_on_with(any_shop, capsys):
    for session in ("a", "b", "waits"):
        any_shop.run(session)
    approve(capsys, any_shop, "a")
    approve(capsys, any_shop, "b")
    any_shop.run("done", "saying")

    code, lines, _ = resume(capsys, any_shop, "--all", agents=["paying", "other"])

    assert code == 0
    assert sorted(lines) == ["a: finished", "b: finished"]
    assert (any_shop.paid, any_shop.state("waits")) == (["5", "5"], "suspended")


def test_one_that_fails_does_not_stop_the_others(shop, capsys):
    for session, agent in (("a", "paying"), ("b", "changed")):
        shop.run(session, agent)
        approve(capsys, shop, session)

    code, lines, _ = resume(capsys, shop, "--all", agents=["paying"])

    assert code == 1
    first, second = sorted(lines)
    assert first == "a: finished"
    assert second.startswith("b: DefinitionChanged: ")


def test_all_without_the_agent_says_so_and_ends_with_1(shop, capsys):
    shop.run("a")
    approve(capsys, shop, "a")

    code, lines, _ = resume(capsys, shop, "--all", agents=["other"])

    assert code == 1
    assert "'shop'" in lines[0]
    assert shop.paid == []


@pytest.mark.parametrize("words", [["--timeout", "1"], ["--wait", "1"], ["--migrate"]])
def test_options_of_one_session_are_refused_for_all(words, shop, capsys):
    shop.run("a")

    code, _, err = resume(capsys, shop, "--all", *words)

    assert code == 2
    assert "are for one session" in err
