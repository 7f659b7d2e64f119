"""The body of a messages request, made of par's values.

Source: https://platform.claude.com/docs/en/api/messages
"""

from typing import final

import attrs

from par._json import JsonObject, dump_json
from par.calls import ModelCall, OutputSpec
from par.messages import Assistant, Message, Opaque, System, ToolResults, User
from par.providers._anthropic_blocks import PROVIDER, container_of, marks_of, wire_messages
from par.providers._anthropic_cache import Breakpoints, Place
from par.providers._anthropic_profile import Droppable, Profile, profile_of
from par.providers._anthropic_refusals import Refusals
from par.providers._anthropic_schema import closed_schema
from par.providers._anthropic_settings import settle
from par.providers._anthropic_tools import ToolForms, answer_tool, tool_choice
from par.providers._reading import array, obj, string
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["PROVIDER", "MessageRequests", "Prepared"]

_MOST_TEXTS = 64


@attrs.frozen(kw_only=True)
class Prepared:
    """A request: its body, which shares parts with others and must not be changed, and what belongs to it.

    ``answer`` is the name of the tool that takes the final answer, where there is one.
    """

    body: JsonObject
    betas: tuple[str, ...] = ()
    answer: str | None = None
    dropped: tuple[tuple[Droppable, str], ...] = ()


@attrs.frozen
class _Form:
    """The wire's messages for one message, and how many cache breakpoints stand in them.

    ``role`` is empty where they shall not be joined with their neighbours: where the caller gave one of them in the
    wire's own form, or where there are none.
    """

    messages: tuple[Wired, ...]
    marks: int
    role: str


@attrs.define
class _Conversation:
    """A history on the wire."""

    instructions: list[Wired] = attrs.Factory(list[Wired])
    messages: list[JsonObject] = attrs.Factory(list[JsonObject])
    end: Place | None = None
    answered: Place | None = None
    """Where the request ended that the last answer belongs to."""
    marks: int = 0


@final
class MessageRequests:
    """Builds the requests for one model."""

    __slots__ = ("_breakpoints", "_forms", "_max_tokens", "_model", "_outputs", "_profile", "_texts", "_tools")

    def __init__(self, model: str, max_tokens: int, profile: Profile | None = None) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._profile = profile if profile is not None else profile_of(model)
        self._tools = ToolForms(self._profile)
        self._breakpoints = Breakpoints()
        self._forms: WireCache[User | Assistant | ToolResults, _Form] = WireCache(_form)
        self._outputs: WireCache[OutputSpec, JsonObject | None] = WireCache(_format)
        self._texts: dict[str, Wired] = {}

    def body(self, call: ModelCall) -> JsonObject:
        """Return the body alone."""
        return self.prepare(call).body

    def prepare(self, call: ModelCall) -> Prepared:
        """Return the request for ``call``.

        Raises:
            UsageError: for what the API or the model does not accept, unless the profile drops it.
        """
        settings = call.settings
        refusals = Refusals(self._model, self._profile)
        settled = settle(call, self._max_tokens, self._profile, refusals)
        talk = self._conversation(call.messages)
        tools = self._tools.get(call.tools, settings.provider_tools, refusals)
        answer = self._ask_for_output(call, talk, settled)
        offered, choice = tool_choice(settings, tools, answer, self._profile, refusals)
        if settings.prompt_cache is not None:
            taken = talk.marks + sum("cache_control" in tool for tool in offered) + ("cache_control" in settings.extra)
            places = (talk.end, talk.answered)
            self._breakpoints.place(settings.prompt_cache, offered, talk.instructions, talk.messages, places, taken)
        body: JsonObject = {"model": self._model, **settled, "messages": [*talk.messages]}
        if talk.instructions:
            body["system"] = [*talk.instructions]
        if offered:
            body["tools"] = [*offered]
            if choice:
                body["tool_choice"] = choice
        container = _container(call.messages)
        if container is not None:
            body["container"] = container
        if call.stream:
            body["stream"] = True
        betas = _add_extra(settings.extra, body)
        name = None if answer is None else string(answer["name"])
        return Prepared(body=body, betas=betas, answer=name, dropped=tuple(refusals.dropped))

    def _ask_for_output(self, call: ModelCall, talk: _Conversation, body: JsonObject) -> Wired | None:
        """Ask for the output type; returns the tool for it, where that is the way."""
        output = call.output
        if output is None:
            return None
        if self._profile.output == "tool":
            return answer_tool(output, call.tools)
        form = self._outputs.get(output) if self._profile.output == "native" else None
        if form is not None:
            body["output_config"] = {**obj(body.get("output_config")), "format": form}
        else:
            talk.instructions.append(self._text(_instruction(output)))
        return None

    def _conversation(self, history: tuple[Message, ...]) -> _Conversation:
        """Split off the instructions, and join neighbours of one role, as the API wants it."""
        talk = _Conversation()
        messages = talk.messages
        get = self._forms.get
        answers = joined = False
        last_role = ""  # of the message that the next one may join
        for message in history:  # a long history passes here at each step
            if isinstance(message, System):
                if message.text.strip():
                    talk.instructions.append(self._text(message.text))
                continue
            if isinstance(message, Assistant):
                if not answers:
                    talk.answered = _end(messages)
                answers = True
            else:
                answers = False
            form = get(message)
            talk.marks += form.marks
            if form.role == last_role != "":
                if not joined:
                    messages[-1] = {"role": last_role, "content": [*array(messages[-1]["content"])]}
                    joined = True
                array(messages[-1]["content"]).extend(array(form.messages[0]["content"]))
            elif form.messages:
                messages.extend(form.messages)
                last_role = form.role
                joined = False
        talk.end = _end(messages)
        return talk

    def _text(self, text: str) -> Wired:
        """Return instructions as a block, which is the same object for the same text."""
        form = self._texts.get(text)
        if form is None:
            if len(self._texts) >= _MOST_TEXTS:
                self._texts.clear()
            form = self._texts[text] = Wired({"type": "text", "text": text})
        return form


def _form(message: User | Assistant | ToolResults) -> _Form:
    messages = wire_messages(message)
    whole = not isinstance(message, ToolResults) and any(
        isinstance(block, Opaque) and block.provider == PROVIDER and "role" in block.data for block in message.content
    )
    role = "" if whole or not messages else string(messages[0]["role"])
    return _Form(messages, sum(map(marks_of, messages)), role)


def _end(messages: list[JsonObject]) -> Place | None:
    """Return the place of the last block."""
    return Place(len(messages) - 1, len(array(messages[-1].get("content"))) - 1) if messages else None


def _format(output: OutputSpec) -> JsonObject | None:
    schema = closed_schema(output.schema)
    return None if schema is None else Wired({"type": "json_schema", "schema": schema})


def _instruction(output: OutputSpec) -> str:
    return (
        "When you give your final answer, it must be one JSON value that fits the JSON Schema below, and nothing "
        f"else: no words around it, no code fence.\n\n{dump_json(output.schema)}"
    )


def _container(history: tuple[Message, ...]) -> str | None:
    """Return the container of the answer that goes on: the API wants it with the results of tools that ran there."""
    for message in reversed(history):
        if isinstance(message, Assistant):
            return container_of(message)
        if not isinstance(message, ToolResults):
            return None
    return None


def _add_extra(extra: JsonObject, body: JsonObject) -> tuple[str, ...]:
    """Add what the user adds to the body, and return the betas among it, which are a header."""
    betas: tuple[str, ...] = ()
    for name, value in extra.items():
        if name == "betas":
            betas = tuple([string(beta) for beta in array(value)])
        elif name == "output_config" and isinstance(value, dict):
            body[name] = {**obj(body.get(name)), **value}
        else:
            body[name] = value
    return betas
