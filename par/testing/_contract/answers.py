"""Scenarios of what a model says."""

import anyio

from par._json import JsonObject
from par.calls import ModelReply
from par.deltas import TextDelta
from par.errors import ContentFiltered
from par.messages import Assistant, System, Text, User
from par.testing._contract.scenario import Scenario, Stage, scenario
from par.testing._contract.subject import ContractBroken, expect
from par.testing._scripted import say
from par.testing._server.script import refuse
from par.usage import Usage

__all__ = ["ANSWERS"]


@scenario()
async def a_plain_answer(stage: Stage) -> None:
    """The text, the finish and the model come back, and one request is counted."""
    async with stage.bench([say("Hello, Zoë. 你好!")]) as bench:
        reply = await bench.ask()

        expect(reply.message.text == "Hello, Zoë. 你好!", f"got {reply.message!r}")
        expect(not reply.message.tool_uses, f"got {reply.message!r}")
        expect(reply.finish == "stop", f"the finish is {reply.finish!r}")
        expect(reply.usage.requests == 1, f"{reply.usage.requests} requests are counted")
        expect(reply.model, "the reply does not say which model answered")
        expect(len(bench.server.requests) == 1, f"{len(bench.server.requests)} requests were made")


@scenario(needs="streaming", modes=(True,))
async def a_streamed_answer_comes_in_pieces(stage: Stage) -> None:
    """Each piece is emitted when it comes, in order."""
    async with stage.bench([say("Hello there!", pieces=["Hel", "lo the", "re!"])]) as bench:
        await bench.ask()

        pieces = [delta.text for delta in bench.deltas if isinstance(delta, TextDelta)]
        expect(pieces == ["Hel", "lo the", "re!"], f"the pieces came as {pieces!r}")
        expect(bench.request(0).streamed, "the request does not ask for a stream")


@scenario(modes=(False,))
async def instructions(stage: Stage) -> None:
    """Instructions stand where the API has them, all of them, in order."""
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask((System("Be brief."), System("Be kind."), User((Text("Hello"),))))

        sent = bench.sent()
        expect("Be brief." in sent and "Be kind." in sent, f"instructions are missing in {sent}")
        expect(sent.index("Be brief.") < sent.index("Be kind."), "the instructions are in another order")


@scenario()
async def several_turns(stage: Stage) -> None:
    """What was said before goes along, each word as who said it."""
    async with stage.bench([say("I am well."), say("Goodbye.")]) as bench:
        first = await bench.ask("How are you?")
        history = (User((Text("How are you?"),)), first.message, User((Text("Then goodbye."),)))
        second = await bench.ask(history)

        expect(second.message.text == "Goodbye.", f"got {second.message!r}")
        sent = bench.sent()
        places = [sent.find(text) for text in ("How are you?", "I am well.", "Then goodbye.")]
        expect(-1 not in places and places == sorted(places), f"the conversation was sent as {sent}")


@scenario()
async def an_empty_answer(stage: Stage) -> None:
    """An answer without content is an answer without content, and no error."""
    async with stage.bench([ModelReply(message=Assistant(()))]) as bench:
        reply = await bench.ask()

        expect(not reply.message.text and not reply.message.tool_uses, f"got {reply.message!r}")


@scenario()
async def an_answer_cut_by_its_length(stage: Stage) -> None:
    """The finish says that the length limit cut it, and what there is comes back."""
    async with stage.bench([say("Once upon a", finish="length")]) as bench:
        reply = await bench.ask()

        expect(reply.finish == "length", f"the finish is {reply.finish!r}")
        expect(reply.message.text == "Once upon a", f"got {reply.message.text!r}")


@scenario()
async def a_filtered_answer(stage: Stage) -> None:
    """An answer that a filter stopped says so, by its finish or as ContentFiltered."""
    async with stage.bench([say("Well", finish="content_filter")]) as bench:
        try:
            reply = await bench.ask()
        except ContentFiltered:
            return
        expect(reply.finish == "content_filter", f"the finish is {reply.finish!r}")


@scenario()
async def a_refusal(stage: Stage) -> None:
    """What the model says in refusing is its text, and the finish is content_filter."""
    async with stage.bench([refuse("I will not do that.")]) as bench:
        reply = await bench.ask()

        expect(reply.message.text == "I will not do that.", f"got {reply.message!r}")
        expect(reply.finish == "content_filter", f"the finish is {reply.finish!r}")


@scenario()
async def usage_is_counted(stage: Stage) -> None:
    """Cached and reasoning tokens are within the input and the output."""
    usage = Usage(input_tokens=100, output_tokens=40, reasoning_tokens=30, cache_read_tokens=64, requests=1)
    async with stage.bench([say("Hi", usage=usage)]) as bench:
        reply = await bench.ask()

        if reply.usage != usage:
            raise ContractBroken(f"the usage is {reply.usage!r}, and should be {usage!r}")


@scenario()
async def the_request_id_and_the_limits(stage: Stage) -> None:
    """The id of the request and the headers about limits come along as facts."""
    limit = "anthropic-ratelimit-requests-remaining" if stage.api == "anthropic" else "x-ratelimit-remaining-requests"
    line = ModelReply(message=Assistant((Text("Hi"),)), request_id="req_of_this", headers={limit: "41"})
    async with stage.bench([line]) as bench:
        reply = await bench.ask()

        expect(reply.request_id == "req_of_this", f"the request id is {reply.request_id!r}")
        expect(reply.headers.get(limit) == "41", f"the limits are {reply.headers!r}")


@scenario()
async def calls_at_once(stage: Stage) -> None:
    """Each of many calls at once gets its own answer."""
    async with stage.bench(lambda request: say(f"answer to {_asked(request.body)}")) as bench:
        answers: dict[str, str] = {}

        async def ask(question: str) -> None:
            quiet = type(bench)(bench.subject, bench.server, bench.model, stream=bench.stream)
            answers[question] = (await quiet.ask(question)).message.text

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(ask, f"question {number:02}")

        wrong = {question: answer for question, answer in answers.items() if answer != f"answer to {question}"}
        expect(not wrong, f"answers went astray: {wrong}")
        expect(len(answers) == 12, f"{len(answers)} of 12 calls were answered")


def _asked(body: JsonObject) -> str:
    text = str(body.get("messages", body.get("input")))
    place = text.index("question ")
    return text[place : place + len("question 00")]


ANSWERS: tuple[Scenario, ...] = (
    a_plain_answer,
    a_streamed_answer_comes_in_pieces,
    instructions,
    several_turns,
    an_empty_answer,
    an_answer_cut_by_its_length,
    a_filtered_answer,
    a_refusal,
    usage_is_counted,
    the_request_id_and_the_limits,
    calls_at_once,
)
