"""A model that plans by fixed rules: it looks at a workspace with the bash tool and reports what it saw.

It knows nothing and invents nothing: each fact of its answer stands in a tool result of the same conversation.
"""

import re
from collections.abc import Sequence
from typing import final

import anyio.lowlevel
import attrs

from par._json import Json, JsonObject, dump_json
from par.calls import ModelCall, ModelReply
from par.deltas import TextDelta, ToolUseDelta
from par.messages import Assistant, Message, Text, ToolResults, ToolUse, User
from par.providers._offline_rules import Finding, answer, next_commands
from par.usage import Usage

__all__ = ["OfflineModel", "from_name"]

_TOOL = "bash"
_PIECES = re.compile(r"\S+\s*|\s+")


@final
class OfflineModel:
    """Answers questions about a workspace without any network, and says so in its answer.

    It needs the tool ``bash`` with the read commands. Its tokens cost nothing and are not counted.
    """

    name = "offline:rules"

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Return the next tool uses, or the answer; checkpoints once."""
        await anyio.lowlevel.checkpoint()
        if all(tool.name != _TOOL for tool in call.tools):
            return await _say(
                call, "I am the offline model. I can only look at a workspace, and there is no bash tool here."
            )
        question, findings, uses = _turn(call.messages)
        commands = next_commands(question, findings)
        if not commands:
            return await _say(call, answer(findings))
        return await _ask(call, commands, uses)


def from_name(model: str) -> OfflineModel:
    """Return the offline model; there is one, and it takes any name."""
    del model
    return OfflineModel()


def _turn(messages: Sequence[Message]) -> tuple[str, list[Finding], int]:
    """Return the last question, what was found since, and how many tools were used in the whole conversation."""
    question = ""
    findings: list[Finding] = []
    asked: dict[str, JsonObject] = {}
    uses = 0
    for message in messages:
        if isinstance(message, User):
            question, findings = message.text, []
        elif isinstance(message, Assistant):
            uses += len(message.tool_uses)
            asked = {use.id: _command(use.arguments) for use in message.tool_uses}
        elif isinstance(message, ToolResults):
            findings.extend(
                Finding(command=asked.get(result.tool_use_id, {}), text=result.content, failed=result.is_error)
                for result in message.results
            )
    return question, findings, uses


def _command(arguments: JsonObject) -> JsonObject:
    command = arguments.get("command")
    return command if isinstance(command, dict) else {}


async def _ask(call: ModelCall, commands: Sequence[JsonObject], uses: int) -> ModelReply:
    blocks: list[ToolUse] = []
    for index, command in enumerate(commands):
        arguments: dict[str, Json] = {"command": command}
        use = ToolUse(f"offline_{uses + index}", _TOOL, arguments)
        blocks.append(use)
        if call.stream:
            await call.emit(ToolUseDelta(id=use.id, name=use.name, arguments=dump_json(arguments)))
    return _reply(Assistant(tuple(blocks)))


async def _say(call: ModelCall, text: str) -> ModelReply:
    if call.stream:
        for piece in _PIECES.findall(text):
            await call.emit(TextDelta(piece))
    return _reply(Assistant((Text(text),)))


def _reply(message: Assistant) -> ModelReply:
    reply = ModelReply(message=message, usage=Usage(requests=1), model=OfflineModel.name)
    return attrs.evolve(reply, finish="tool_uses") if message.tool_uses else reply
