"""The body of a request to the responses API, made of par's values.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

import re
from collections.abc import Mapping
from typing import final

from par._json import Json, JsonObject
from par.calls import ModelCall, OutputSpec
from par.errors import UsageError
from par.messages import Assistant, Message, Opaque, System, ToolResults, User
from par.providers._openai_drops import dropped
from par.providers._openai_profile import Droppable, Profile
from par.providers._reading import array, obj
from par.providers._responses_content import result_item, system_item, user_items
from par.providers._responses_items import Form, form_of
from par.providers._responses_settings import add_extra, settle
from par.providers._responses_tools import ToolForms, choose, output_format, output_words
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["API", "ResponseRequests"]

API = "openai-responses"

_REASONS = re.compile(r"(?:ft:)?(?:o\d|gpt-(?:[5-9]|\d\d)|gpt-oss|codex)(?!.*-chat)")
"""The models that think: asking others for their encrypted thoughts is an error."""

_ENCRYPTED = "reasoning.encrypted_content"
_KEPT_BY_THE_API = ("background", "conversation", "previous_response_id", "store")
"""The extras with which a caller relies on what the API stores, or says whether it shall."""


@final
class ResponseRequests:
    """Builds the requests for one model at one server.

    ``tag`` names the server in opaque blocks: only its own go back to it.
    """

    __slots__ = (
        "_asks_for_thoughts",
        "_assistants",
        "_model",
        "_profile",
        "_results",
        "_systems",
        "_tags",
        "_tools",
        "_users",
        "tag",
    )

    def __init__(self, model: str, *, tag: str, profile: Profile) -> None:
        self._model = model
        self.tag = tag
        # what a user writes is of the API, not of one server
        self._tags = tags = frozenset({tag, API})
        self._profile = profile
        self._asks_for_thoughts = _REASONS.match(model.rpartition("/")[2]) is not None
        self._tools = ToolForms(tags, strict="strict" not in profile.drops)
        self._systems: WireCache[System, Wired] = WireCache(
            lambda message: system_item(message.text, profile.instructions)
        )
        self._users: WireCache[User, list[Wired]] = WireCache(lambda message: user_items(message, tags))
        self._assistants: WireCache[Assistant, Form] = WireCache(
            lambda message: form_of(message, tag, verbatim=profile.verbatim_arguments)
        )
        self._results: WireCache[ToolResults, list[Wired]] = WireCache(lambda message: self._outputs(message, {}))

    def body(self, call: ModelCall) -> JsonObject:
        """Return the body for ``call``. It shares parts with other bodies: send it, do not change it.

        Raises:
            UsageError: for a setting that the API does not have, and for ``background`` without a stream.
        """
        settings = call.settings
        extra = settings.extra
        body: JsonObject = {"model": self._model}
        messages = _after(call.messages, extra.get("previous_response_id"), self.tag)
        if messages and isinstance(messages[0], System):
            if messages[0].text:
                body["instructions"] = messages[0].text
            messages = messages[1:]
        body["input"] = self._input(messages)
        self._add_tools(call, body)
        if call.output is not None:
            self._ask_for(call.output, body)
        settle(settings, self._profile, body)
        if not any(name in extra for name in _KEPT_BY_THE_API):
            body["store"] = False
        if self._asks_for_thoughts:
            body["include"] = [_ENCRYPTED]
        if call.stream:
            body["stream"] = True
        elif extra.get("background"):
            raise UsageError("par does not ask again for a response in the background: stream it, or leave it out")
        add_extra(extra, body)
        return body

    def dropped(self, call: ModelCall) -> list[Droppable]:
        """Return the settings of ``call`` that the body leaves out because the model refuses them."""
        return dropped(self._profile, call)

    def _input(self, messages: tuple[Message, ...]) -> list[Json]:
        items: list[Json] = []
        unusual: dict[str, tuple[str, str]] = {}
        for message in messages:
            if isinstance(message, Assistant):
                form = self._assistants.get(message)
                items.extend(form.items)
                unusual.update(form.results)
                continue
            _drop_lonely_thoughts(items)
            match message:
                case ToolResults():
                    if unusual and any(result.tool_use_id in unusual for result in message.results):
                        items.extend(self._outputs(message, unusual))
                    else:
                        items.extend(self._results.get(message))
                case User():
                    items.extend(self._users.get(message))
                case System():
                    items.append(self._systems.get(message))
        _drop_lonely_thoughts(items)
        return items

    def _outputs(self, message: ToolResults, unusual: Mapping[str, tuple[str, str]]) -> list[Wired]:
        items: list[Wired] = []
        for result in message.results:
            kind, id_ = unusual.get(result.tool_use_id, ("function_call_output", result.tool_use_id))
            items.append(result_item(result, kind, id_, self._tags))
        return items

    def _add_tools(self, call: ModelCall, body: JsonObject) -> None:
        tools = self._tools.get(call.tools, call.settings.provider_tools)
        if not tools:
            return
        offered, choice = choose(call.settings, tools, several=self._profile.allowed_tools)
        body["tools"] = [*offered]
        if choice is not None:
            body["tool_choice"] = choice
        if not call.settings.parallel_tool_uses and "parallel_tool_uses" not in self._profile.drops:
            body["parallel_tool_calls"] = False

    def _ask_for(self, output: OutputSpec, body: JsonObject) -> None:
        if self._profile.output == "native":
            body["text"] = output_format(output)
            return
        # after the instructions and before the conversation, so that the beginning stays the same at each step
        words = system_item(output_words(output), self._profile.instructions)
        body["input"] = [words, *array(body["input"])]
        if self._profile.output == "json":
            body["text"] = {"format": {"type": "json_object"}}


def _drop_lonely_thoughts(items: list[Json]) -> None:
    """Take away thoughts that led to nothing, as a length limit leaves them: the API refuses them without a sequel."""
    while items and obj(items[-1]).get("type") == "reasoning":
        items.pop()


def _after(messages: tuple[Message, ...], previous: Json, tag: str) -> tuple[Message, ...]:
    """Leave out what the API has in store: the conversation up to the response that is named, if it is there.

    Instructions are not part of what it has.
    """
    if not isinstance(previous, str):
        return messages
    for place in reversed(range(len(messages))):
        message = messages[place]
        if isinstance(message, Assistant) and previous in _response_ids(message, tag):
            first = messages[:1] if isinstance(messages[0], System) else ()
            return (*first, *messages[place + 1 :])
    return messages


def _response_ids(message: Assistant, tag: str) -> list[Json]:
    own = [block.data for block in message.content if isinstance(block, Opaque) and block.provider == tag]
    return [obj(data.get("response")).get("id") for data in own if "item" not in data]
