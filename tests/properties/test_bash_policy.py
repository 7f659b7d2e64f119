"""A decision depends on the policy and the command alone, and more is never allowed than each part allows."""

from functools import cache

import attrs
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import (
    Allow,
    Ask,
    Deny,
    EmitText,
    Linter,
    Param,
    Pipeline,
    Policy,
    PythonHost,
    Task,
    TestRunner,
)
from par.tools.bash._commands.facts import RISKS
from par.tools.bash._commands.kinds import Choice, Flag, Many, One, Whole, kind_of
from par.tools.bash._commands.leaves import FILTERS, LEAVES, SOURCES
from par.tools.bash._commands.nested import ParamsKind, Record
from par.tools.bash._commands.table import COMMANDS

TEXTS = [
    "a.py", "src", "src/app.py", ".", ".env", "d/.ENV.local", "x.pem", ".ssh/config", "keep/me", "README.md",
    ".github/workflows/ci.yml", ".gitattributes", "HEAD", "main", "HEAD~1", "*.py", "v1.*", "1,3", ",", "a-z",
    "pytest", "ruff", "build", "module", "TODO", "tests/test_a.py::test_b", "a and not b", "python3", "x=1",
]  # fmt: skip
RANK = {Allow: 0, Ask: 1, Deny: 2}
HOST = {
    "runners": [TestRunner.pytest("/usr/bin/python3")],
    "linters": [Linter.ruff("/usr/bin/ruff"), Linter(name="build", argv=("/bin/true",), executes=False, fix=("-f",))],
    "tasks": [
        Task(name="build", argv=("/bin/true",), effects=("read",), risk="low"),
        Task(name="pytest", argv=("/bin/true", "{a}"), params=(Param(name="a", required=False),)),
    ],
    "python": PythonHost(python="/usr/bin/python3", modules=("module",)),
}
BUSY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@cache
def held_by(kind):
    """Return a strategy of what a field of this kind may hold."""
    if isinstance(kind, Flag):
        return st.booleans()
    if isinstance(kind, Whole):
        return st.integers(kind.low, min(kind.high, kind.low + 9))
    if isinstance(kind, Choice):
        return st.sampled_from(kind.options)
    if isinstance(kind, One):
        fit = [text for text in (*TEXTS, "") if kind.problem("f", text) is None]
        anything = st.text("ab./-_ ~\x00é\u202e", max_size=6).filter(lambda text: kind.problem("f", text) is None)
        return st.sampled_from(fit) | anything
    if isinstance(kind, Many):
        return st.lists(held_by(kind.item), min_size=kind.least, max_size=3)
    if isinstance(kind, Record):
        return built(kind.kind)
    if isinstance(kind, ParamsKind):
        return st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", 1, True]), max_size=2)
    raise AssertionError(f"no strategy for {kind!r}")


def tried(kind, fields):
    try:
        return kind(**fields)
    except CommandRefused:  # a combination that does not go together
        return None


@cache
def built(kind):
    fields = attrs.fields(kind)
    needed = {field.name: held_by(kind_of(field)) for field in fields if field.default is attrs.NOTHING}
    others = {field.name: held_by(kind_of(field)) for field in fields if field.default is not attrs.NOTHING}
    return (
        st
        .fixed_dictionaries(needed, optional=others)
        .map(lambda given: tried(kind, given))
        .filter(lambda command: command is not None)
    )


LEAF = st.one_of(*(built(kind) for kind in LEAVES.values()))
FIRST = st.one_of(*(built(LEAVES[op]) for op in sorted(SOURCES)))


def without_path(op):
    return built(LEAVES[op]).map(
        lambda leaf: attrs.evolve(leaf, **{name: None for name in ("path", "paths") if hasattr(leaf, name)})
    )


LATER = st.one_of(*(without_path(op) for op in sorted(FILTERS)))
SAVED = st.sampled_from([None, "out.txt", "keep/me", ".gitattributes"])
PIPELINE = st.builds(
    lambda first, later, save_to: tried(Pipeline, {"stages": [first, *later], "save_to": save_to}),
    FIRST,
    st.lists(LATER, min_size=1, max_size=3),
    SAVED,
).filter(lambda command: command is not None)
COMMAND = LEAF | PIPELINE
EFFECTS = st.lists(st.sampled_from(["read", "write", "execute"]), unique=True)
NAMES = st.lists(st.sampled_from(["keep/**", "a.py", ".env*", "*.pem", "src"]), unique=True, max_size=3)
KINDS = st.lists(st.sampled_from([*COMMANDS.values()]), unique=True) | st.just([*COMMANDS.values()])
POLICY = st.builds(
    lambda hosted, **given: Policy(name="p", **given, **(HOST if hosted else {})),
    st.booleans(),
    allow=KINDS,
    effects=EFFECTS | st.just(["read", "write", "execute"]),
    approve_at=st.none() | st.sampled_from(RISKS),
    read_deny=NAMES,
    write_protect=NAMES,
)


def rank(policy, command):
    return RANK[type(policy.decide(command))]


def wide(policy, *kinds):
    return attrs.evolve(policy, allow=tuple(dict.fromkeys((*policy.allow, *kinds))))


@given(POLICY, COMMAND)
@BUSY
def test_a_decision_is_made_for_every_command_and_always_the_same(policy, command):
    first = policy.decide(command)

    assert type(first) in RANK
    assert policy.decide(command) == first
    assert attrs.evolve(policy).decide(command) == first
    if isinstance(first, Deny):
        assert first.code and first.reason and first.remedy


@given(POLICY, st.sampled_from([*COMMANDS.values()]), st.data())
@BUSY
def test_what_was_forged_without_its_checks_is_decided_too(policy, kind, data):
    forged = object.__new__(kind)
    for field in attrs.fields(kind):
        if data.draw(st.booleans()):
            object.__setattr__(
                forged, field.name, data.draw(st.sampled_from([None, 1, "../x", ["a"], ("a",), {}, b""]))
            )

    assert type(policy.decide(forged)) in RANK


@given(COMMAND)
@BUSY
def test_nothing_is_allowed_that_is_not_named(command):
    named = Policy(name="p", allow=[kind for kind in COMMANDS.values() if kind is not type(command)], **HOST)

    assert rank(Policy(name="p", allow=()), command) == RANK[Deny]
    assert named.decide(command).code == "denied_by_policy"


@given(POLICY, COMMAND)
@BUSY
def test_nothing_is_allowed_whose_effects_are_not_granted(policy, command):
    if not isinstance(policy.decide(command), Deny):
        assert set(policy.effects_of(command)) <= set(policy.effects)


@given(POLICY, COMMAND)
@BUSY
def test_what_is_as_risky_as_the_bound_is_never_simply_allowed(policy, command):
    if isinstance(policy.decide(command), Allow) and policy.approve_at is not None:
        assert RISKS.index(policy.risk_of(command)) < RISKS.index(policy.approve_at)


@given(POLICY, PIPELINE, st.lists(st.booleans(), min_size=4, max_size=4))
@BUSY
def test_a_pipeline_is_at_most_as_allowed_as_its_strictest_stage(policy, pipeline, named):
    kinds = [type(stage) for stage, wanted in zip(pipeline.stages, named, strict=False) if wanted]
    policy = attrs.evolve(wide(policy, Pipeline, *kinds), effects=("read", "write", "execute"))
    first, *later = pipeline.stages
    least = wide(policy, Pipeline, EmitText)
    with_read = attrs.evolve(least, effects=tuple(dict.fromkeys((*least.effects, "read"))))
    stages = [rank(policy, first)]
    # a filter reads what comes in: it stands in the smallest pipeline that there is
    stages += [rank(with_read, Pipeline(stages=[EmitText(text="x"), stage])) for stage in later]

    assert rank(policy, pipeline) >= max(stages)
    assert all(type(stage) in policy.allow for stage in pipeline.stages) or rank(policy, pipeline) == RANK[Deny]


@given(POLICY, COMMAND, KINDS, EFFECTS)
@BUSY
def test_more_commands_and_effects_never_allow_less(policy, command, kinds, effects):
    more = attrs.evolve(wide(policy, *kinds), effects=tuple(dict.fromkeys((*policy.effects, *effects))))

    assert rank(more, command) <= rank(policy, command)


@given(POLICY, COMMAND, NAMES, NAMES)
@BUSY
def test_more_names_that_stay_shut_never_allow_more(policy, command, denied, protected):
    less = attrs.evolve(
        policy, read_deny=(*policy.read_deny, *denied), write_protect=(*policy.write_protect, *protected)
    )

    assert rank(less, command) >= rank(policy, command)


@given(POLICY, COMMAND, st.sampled_from(RISKS))
@BUSY
def test_a_lower_bound_for_approvals_never_allows_more(policy, command, bound):
    assume(policy.approve_at is None or RISKS.index(bound) <= RISKS.index(policy.approve_at))

    assert rank(attrs.evolve(policy, approve_at=bound), command) >= rank(policy, command)
