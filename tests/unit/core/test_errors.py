"""The error tree is what its drawing says, and errors carry their facts everywhere."""

import copy
import inspect
import pickle
import re

import pytest

from par import errors
from par.errors import (
    AccessDenied,
    ApprovalRefused,
    AuthenticationFailed,
    BudgetExhausted,
    ChainBroken,
    CommandRefused,
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    DecodeError,
    DefinitionChanged,
    DeliveryFailed,
    DeliveryRefused,
    DuplicateProvider,
    DuplicateTool,
    EmptyReply,
    IllegalTransition,
    ImpossibleOrder,
    InvalidArguments,
    InvalidOutput,
    InvalidReply,
    InvalidSignature,
    LeaseLost,
    MessageAnswered,
    MissingDeps,
    MissingExtra,
    MissingKey,
    ModelError,
    ModelNotFound,
    ModelTimedOut,
    NewerSchema,
    NoSuchSession,
    NotAnAuditFile,
    NothingToResume,
    Overloaded,
    ParError,
    PermissionDenied,
    RateLimited,
    ReplayMismatch,
    ReplyTruncated,
    RequestRejected,
    RequestTooLarge,
    RunIncomplete,
    ServerFailed,
    SessionBusy,
    SessionError,
    SessionUnfinished,
    SignatureExpired,
    StoreError,
    StoreUnavailable,
    StreamInterrupted,
    ToolDefinitionError,
    ToolError,
    ToolFailed,
    TooManyAttempts,
    TransientModelError,
    TurnFailed,
    UnexpectedToolUse,
    UnknownEffect,
    UnknownModel,
    UnknownPrice,
    UnreadableReply,
    UsageError,
    WorkspaceNotFound,
    WrongKey,
)

MODEL = [
    cls("the detail", provider="openai", status=503, request_id="req_1", retry_after_s=1.5, body={"error": [1]})
    for cls in (
        ModelError,
        TransientModelError,
        RateLimited,
        Overloaded,
        ServerFailed,
        ConnectionFailed,
        StreamInterrupted,
        AuthenticationFailed,
        AccessDenied,
        RequestRejected,
        ModelNotFound,
        RequestTooLarge,
        ContextTooLong,
        ContentFiltered,
        UnreadableReply,
    )
]
REPLY = [
    cls("it is wrong", repairs=2)
    for cls in (InvalidReply, EmptyReply, UnexpectedToolUse, ReplyTruncated, InvalidOutput)
]
SAMPLES = [
    ParError("something failed"),
    UsageError("change this"),
    UnknownModel("gpt", ["openai", "ollama"]),
    UnknownPrice("gpt"),
    DuplicateProvider("mine", built_in=False),
    MissingKey("openai", "OPENAI_API_KEY"),
    MissingExtra("cli", "rich"),
    DuplicateTool("weather"),
    ImpossibleOrder("Retry", "Timeout", "Retry"),
    ToolDefinitionError("weather", "it has no type"),
    MissingDeps("weather", "Database"),
    WorkspaceNotFound("/nowhere", "does not exist"),
    *MODEL,
    ModelTimedOut(limit="total", after_s=30),
    *REPLY,
    ToolError("the door is shut"),
    ToolFailed("the city is unknown", retryable=True),
    InvalidArguments("weather", ["city is missing: send text."]),
    CommandRefused("denied_by_policy", "rm is not allowed.", field="argv[0]", remedy="Use trash."),
    PermissionDenied("pay", "it is not allowed.", by="ann"),
    BudgetExhausted(kind="tokens", limit=1000, used=900, needed=200),
    RunIncomplete("cancelled", "the user left"),
    IllegalTransition(current="pending", target="completed", why="invalid"),
    DecodeError("Usage", "requests is missing"),
    DeliveryFailed("example.com", "it answered with status 503", status=503, retry_after_s=1.5),
    DeliveryRefused("example.com", "it answered with status 410", status=410),
    InvalidSignature("it is missing"),
    SignatureExpired(age_s=400, tolerance_s=300),
    StoreError("the disk is full"),
    NotAnAuditFile("a.txt", "it is text"),
    NewerSchema("a.db", 9, 3),
    StoreUnavailable("a.db", "it is locked"),
    WrongKey("default", "this is another one"),
    ChainBroken("s1", 7, "the hash differs"),
    SessionError("s1", "it is odd"),
    NoSuchSession("s1"),
    NothingToResume("s1"),
    SessionBusy("s1", owner="host 12", free_in_s=3.5),
    SessionUnfinished("s1"),
    DefinitionChanged("s1", recorded="ab" * 32, given="cd" * 32),
    MessageAnswered("s1", message_id="m1", turn=2),
    ReplayMismatch("s1", ordinal=3, recorded="tool pay", wanted="tool refund"),
    TooManyAttempts("s1", attempts=20),
    TurnFailed("s1", error_type="Overloaded", message="the provider is overloaded"),
    UnknownEffect("s1", tool="pay", key="01J:3"),
    ApprovalRefused("01J", "it has expired"),
    LeaseLost("s1"),
]


def classes() -> dict[str, type]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__.startswith("par._errors")
    }


def drawn() -> dict[str, str]:
    """Read the drawing: the name of each class and the name of the class it hangs from."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+)", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        parents[match[2]] = path[depth - 1] if depth else ""
    return parents


def test_the_drawing_shows_every_class_and_nothing_else():
    assert set(drawn()) == set(classes())


def test_every_class_hangs_where_the_drawing_has_it():
    bases = {name: cls.__mro__[1].__name__ for name, cls in classes().items()}

    assert {**bases, "ParError": ""} == drawn()


def test_every_class_is_exported_and_documented():
    assert set(errors.__all__) == set(classes())
    assert [name for name, cls in classes().items() if not cls.__doc__] == []


def test_every_class_has_a_sample_in_this_file():
    assert {type(sample).__name__ for sample in SAMPLES} == set(classes())


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy], ids=["pickle", "copy", "deep"]
)
def test_errors_keep_their_class_sentence_and_facts(error, again):
    twin = again(error)

    assert type(twin) is type(error)
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_the_text_of_an_error_names_its_facts_in_words(error):
    text = str(error)

    assert " " in text
    assert "object at 0x" not in text
    assert "None" not in text


def test_facts_that_are_set_later_travel_too():
    error = RateLimited("slow down")
    error.attempts = 4

    twin = pickle.loads(pickle.dumps(error))

    assert twin.attempts == 4
    assert str(twin) == "the rate limit is reached (4 attempts): slow down"


def test_a_usage_error_is_a_value_error():
    assert issubclass(UsageError, ValueError)


def test_a_model_error_tells_all_its_facts():
    error = Overloaded("try later", provider="openai", status=503, request_id="req_1", retry_after_s=1.5)

    assert str(error) == (
        "the provider is overloaded (openai, status 503, request req_1, retry after 1.5 s): try later"
    )


def test_a_model_error_without_facts_is_still_a_sentence():
    assert str(ConnectionFailed()) == "the provider could not be reached"


def test_one_repair_is_one_repair():
    assert str(EmptyReply("the answer was empty", repairs=1)) == "the answer was empty (after 1 repair)"


def test_a_run_without_a_cause_says_no_cause():
    assert str(RunIncomplete("max_steps")) == "the run has no output: it stopped with 'max_steps'"
