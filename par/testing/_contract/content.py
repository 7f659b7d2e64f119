"""Scenarios of pictures, files, reasoning, opaque blocks, output types and settings."""

import base64

from par._json import JsonObject, dump_json
from par.calls import ModelReply, OutputSpec, Settings
from par.messages import (
    Assistant,
    Document,
    Image,
    Opaque,
    Reasoning,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
    UserBlock,
)
from par.testing._contract.scenario import Scenario, Stage, scenario
from par.testing._contract.subject import Capability, expect
from par.testing._contract.tools import BOTH, QUESTION, answered
from par.testing._scripted import call, say

__all__ = ["CONTENT"]

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
_PDF = base64.b64encode(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n").decode()


async def _shown(stage: Stage, block: UserBlock, needs: Capability, wanted: str) -> None:
    prompt = User((Text("What is this?"), block))
    async with stage.bench([say("A thing.")]) as bench:
        if stage.subject.must_refuse(needs):
            await bench.must_refuse(prompt)
            return
        await bench.ask(prompt)

        expect(wanted in bench.sent(), f"it was not sent: {bench.sent()}")


@scenario(needs="images", modes=(False,))
async def a_picture_by_its_address(stage: Stage) -> None:
    """The address of a picture is sent."""
    await _shown(stage, Image(url="https://example.org/cat.png"), "images", "https://example.org/cat.png")


@scenario(needs="images", modes=(False,))
async def a_picture_as_bytes(stage: Stage) -> None:
    """The bytes of a picture are sent with their media type."""
    await _shown(stage, Image(base64=_PIXEL, media_type="image/png"), "images", _PIXEL)


@scenario(needs="documents", modes=(False,))
async def a_document_as_bytes(stage: Stage) -> None:
    """The bytes of a file are sent with their media type."""
    document = Document(base64=_PDF, media_type="application/pdf", name="paper.pdf")
    await _shown(stage, document, "documents", _PDF)


@scenario(needs="document_urls", modes=(False,))
async def a_document_by_its_address(stage: Stage) -> None:
    """The address of a file is sent."""
    address = "https://example.org/paper.pdf"
    await _shown(stage, Document(url=address, media_type="application/pdf"), "document_urls", address)


@scenario(needs="result_images", modes=(False,))
async def a_picture_that_a_tool_returns(stage: Stage) -> None:
    """What a tool shows is sent, in or beside its result."""
    use = ToolUse("call_1", "weather", {"city": "A"})
    picture = Image(base64=_PIXEL, media_type="image/png")
    result = ToolResult(tool_use_id=use.id, name=use.name, content="a map", blocks=(picture,))
    history = (QUESTION, Assistant((use,)), ToolResults((result,)))
    async with stage.bench([say("Rain.")]) as bench:
        if stage.subject.must_refuse("result_images"):
            await bench.must_refuse(history, tools=BOTH)
            return
        await bench.ask(history, tools=BOTH)

        expect(_PIXEL in bench.sent(), "the picture was not sent")
        expect("a map" in bench.sent(), "the text of the result was not sent")


@scenario(needs="reasoning")
async def reasoning_is_kept_and_sent_back(stage: Stage) -> None:
    """Thoughts come as reasoning; what the provider signed goes back as it came, in front of the call."""
    thought = Reasoning("The user wants the weather.", "c2lnbmVkIGJ5IHRoZSBtb2RlbA==")
    line = ModelReply(message=Assistant((thought, ToolUse("call_1", "weather", {"city": "A"}))), finish="tool_uses")
    async with stage.bench([line, say("Rain.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        thoughts = [block.text for block in reply.message.content if isinstance(block, Reasoning)]
        expect(thoughts == [thought.text], f"the reasoning is {thoughts!r}")
        await bench.ask(answered(reply, "rain"), tools=BOTH)
        if stage.api == "anthropic":
            expect(str(thought.signature) in bench.sent(), "the signed thought was not sent back")
        if stage.api == "responses":
            expect("'type': 'reasoning'" in bench.sent(), "the reasoning item was not sent back")


@scenario(modes=(False,))
async def what_others_sealed_is_not_sent(stage: Stage) -> None:
    """What another provider thought and sealed does not make the request one that is refused."""
    foreign = Assistant((Reasoning("Hm, hm."), Opaque("elsewhere", {"type": "seal"}), Text("Hello.")))
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask((User((Text("Hi"),)), foreign, User((Text("And?"),))))

        expect("'seal'" not in bench.sent(), "another provider's block was sent")
        expect("Hello." in bench.sent(), "the text was not sent")


@scenario(needs="opaque")
async def what_par_does_not_know_is_kept(stage: Stage) -> None:
    """A block that only the provider understands goes back to it word for word."""
    blocks: dict[str, JsonObject] = {
        "chat": {"reasoning_details": [{"type": "reasoning.encrypted", "data": "c2VhbGVk", "index": 0}]},
        "responses": {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "sealed"}},
        "anthropic": {"type": "redacted_thinking", "data": "c2VhbGVk"},
    }
    seal = "sealed" if stage.api == "responses" else "c2VhbGVk"
    line = ModelReply(message=Assistant((Opaque("server", blocks[stage.api]), Text("Here."))))
    async with stage.bench([line, say("Yes.")]) as bench:
        reply = await bench.ask()

        expect(reply.message.text == "Here.", f"got {reply.message!r}")
        await bench.ask((User((Text("Hello"),)), reply.message, User((Text("And?"),))))
        expect(seal in bench.sent(), f"the block was not sent back: {bench.sent()}")


@scenario()
async def an_output_type(stage: Stage) -> None:
    """The schema of the output is told to the model, natively or in words, and the answer is text of it."""
    schema: JsonObject = {
        "type": "object",
        "properties": {"celsius": {"type": "integer"}},
        "required": ["celsius"],
        "additionalProperties": False,
    }
    answer = dump_json({"celsius": 21})
    async with stage.bench([say(answer)]) as bench:
        reply = await bench.ask(output=OutputSpec(name="Report", schema=schema))

        expect("celsius" in bench.sent(), f"the schema was not sent: {bench.sent()}")
        expect(reply.message.text == answer, f"got {reply.message!r}")


@scenario(modes=(False,))
async def settings_are_sent(stage: Stage) -> None:
    """Temperature and the length limit reach the request."""
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask(settings=Settings(temperature=0.25, max_tokens=321))

        body = bench.request(0).body
        expect(body.get("temperature") == 0.25, f"the temperature was sent as {body.get('temperature')!r}")
        limits = [body.get(name) for name in ("max_tokens", "max_completion_tokens", "max_output_tokens")]
        expect(321 in limits, f"the limit was not sent: {bench.sent()}")


@scenario(modes=(False,))
async def extras_are_sent(stage: Stage) -> None:
    """What Settings.extra holds is in the request as it stands."""
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask(settings=Settings(extra={"metadata": {"user_id": "u-17"}}))

        sent = bench.request(0).body.get("metadata")
        expect(sent == {"user_id": "u-17"}, f"the extra was sent as {sent!r}")


@scenario(modes=(False,))
async def text_beside_a_call_stays(stage: Stage) -> None:
    """What the model said before it called a tool goes back with the call."""
    async with stage.bench([[say("I will look."), call("weather", city="A")], say("Rain.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)
        await bench.ask(answered(reply, "rain"), tools=BOTH)

        expect("I will look." in bench.sent(), "the text was lost")


CONTENT: tuple[Scenario, ...] = (
    a_picture_by_its_address,
    a_picture_as_bytes,
    a_document_as_bytes,
    a_document_by_its_address,
    a_picture_that_a_tool_returns,
    reasoning_is_kept_and_sent_back,
    what_others_sealed_is_not_sent,
    what_par_does_not_know_is_kept,
    an_output_type,
    settings_are_sent,
    extras_are_sent,
    text_beside_a_call_stays,
)
