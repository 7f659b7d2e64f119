"""The body of a chat-completions request, made of par's values.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Final, final

import attrs

from par._json import Json, JsonObject, dump_json
from par.calls import ModelCall, OutputSpec, Settings, ToolNames, ToolSpec
from par.errors import UsageError
from par.messages import System
from par.providers._openai_drops import dropped, refused
from par.providers._openai_messages import ChatMessages
from par.providers._openai_profile import Droppable, Profile
from par.providers._reading import obj, string
from par.providers._strict import fits_strict, schema_name
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["ChatRequests"]

_ANSWER_TOOL: Final = "final_answer"


@attrs.frozen
class _Output:
    """An output type in each way in which it can be asked for."""

    format: Wired
    tool: Wired
    words: str


@final
class ChatRequests:
    """Builds the requests for one model at one server.

    ``tag`` names the server in the opaque blocks of its answers: only its own go back to it. What a user writes for
    ``provider`` goes to it as well.
    """

    __slots__ = ("_messages", "_model", "_outputs", "_profile", "_tags", "_tool_lists", "_tools", "tag")

    def __init__(self, model: str, *, tag: str, profile: Profile, provider: str = "openai") -> None:
        self._model = model
        self.tag = tag
        self._tags = frozenset({tag, provider})
        self._profile = profile
        self._messages = ChatMessages(profile, tag, provider)
        self._tools: WireCache[ToolSpec, Wired] = WireCache(self._tool)
        self._tool_lists: WireCache[tuple[ToolSpec, ...], list[Wired]] = WireCache(self._tool_list)
        self._outputs: WireCache[OutputSpec, _Output] = WireCache(_output)

    def body(self, call: ModelCall) -> JsonObject:
        """Return the body for ``call``. It shares parts with other bodies: send it, do not change it.

        Raises:
            UsageError: for a choice of tools that there are not, and for what the server has no form for.
        """
        settings = call.settings
        messages = self._messages.of(call.messages)
        body: JsonObject = {"model": self._model, "messages": messages}
        tools: list[Json] = [*self._tool_lists.get(call.tools)]
        if call.output is not None:
            self._ask_for(call, call.output, body, tools)
        tools += [tool.data for tool in settings.provider_tools if tool.provider in self._tags]
        if tools:
            body["tools"] = tools
            self._choose(call, body, tools)
        self._settle(settings, body)
        if call.stream:
            body["stream"] = True
            if self._profile.stream_usage:
                body["stream_options"] = {"include_usage": True}
        body.update(settings.extra)
        return body

    def answer_tool(self, call: ModelCall) -> str | None:
        """Return the name of the tool that the model gives its answer to, if that is how it is asked for one."""
        if call.output is None or self._profile.output != "tool":
            return None
        taken = {spec.name for spec in call.tools}
        name = _ANSWER_TOOL
        while name in taken:
            name += "_"
        return name

    def dropped(self, call: ModelCall) -> list[Droppable]:
        """Return the settings of ``call`` that the body leaves out because the model refuses them."""
        return dropped(self._profile, call)

    # --- settings --------------------------------------------------------------------------------------

    def _settle(self, settings: Settings, body: JsonObject) -> None:
        profile = self._profile
        left_out = refused(profile, settings)
        if settings.max_tokens is not None:
            body[profile.max_tokens] = settings.max_tokens
        if settings.temperature is not None and "temperature" not in left_out:
            body["temperature"] = settings.temperature
        if settings.top_p is not None and "top_p" not in left_out:
            body["top_p"] = settings.top_p
        if settings.stop and "stop" not in left_out:
            body["stop"] = list(settings.stop)
        if settings.seed is not None and "seed" not in left_out:
            body[profile.seed] = settings.seed
        if settings.reasoning_effort is not None and "reasoning_effort" not in left_out:
            effort = settings.reasoning_effort
            body[profile.reasoning_effort] = effort if profile.reasoning_effort != "reasoning" else {"effort": effort}
        if settings.prompt_cache is not None and "prompt_cache" not in left_out:
            if settings.prompt_cache.key is not None:
                body["prompt_cache_key"] = settings.prompt_cache.key
            if settings.prompt_cache.ttl is not None:
                body["prompt_cache_retention"] = "24h" if settings.prompt_cache.ttl == "24h" else "in_memory"

    # --- tools -----------------------------------------------------------------------------------------

    def _choose(self, call: ModelCall, body: JsonObject, tools: list[Json]) -> None:
        choice = call.settings.tool_choice
        if isinstance(choice, ToolNames):
            answer = self.answer_tool(call)
            if answer is not None:  # one of them may be the last step
                choice = ToolNames((*choice.names, answer))
            self._choose_by_name(choice, {*[spec.name for spec in call.tools], answer}, body, tools)
        elif "tool_choice" not in body and choice != "auto":
            body["tool_choice"] = choice
        if not call.settings.parallel_tool_uses and "parallel_tool_uses" not in refused(self._profile, call.settings):
            body["parallel_tool_calls"] = False

    def _choose_by_name(self, choice: ToolNames, known: set[str | None], body: JsonObject, tools: list[Json]) -> None:
        unknown = set(choice.names) - known
        if unknown:
            raise UsageError(f"tool_choice names {', '.join(sorted(unknown))}, and there is no such tool")
        mode = "required" if choice.required else "auto"
        if len(choice.names) == 1 and choice.required:
            body["tool_choice"] = {"type": "function", "function": {"name": choice.names[0]}}
        elif self._profile.allowed_tools:
            # the list of tools stays the same, and with it the beginning that the provider remembers
            allowed: list[Json] = [{"type": "function", "function": {"name": name}} for name in choice.names]
            body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
        else:
            kept = [tool for tool in tools if string(obj(obj(tool).get("function")).get("name")) in choice.names]
            body["tools"] = kept
            if choice.required:
                body["tool_choice"] = mode

    def _tool_list(self, specs: tuple[ToolSpec, ...]) -> list[Wired]:
        return [self._tools.get(spec) for spec in specs]

    def _tool(self, spec: ToolSpec) -> Wired:
        function: JsonObject = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
        if spec.strict is not None and "strict" not in self._profile.drops:
            function["strict"] = spec.strict
        return Wired({"type": "function", "function": function})

    # --- the output ------------------------------------------------------------------------------------

    def _ask_for(self, call: ModelCall, output: OutputSpec, body: JsonObject, tools: list[Json]) -> None:
        forms = self._outputs.get(output)
        name = self.answer_tool(call)
        if name is not None:
            self._ask_by_tool(call, forms, name, body, tools)
            return
        if self._profile.output == "native":
            body["response_format"] = forms.format
            return
        # after the instructions and before the conversation, so that the beginning stays the same at each step
        place = next((i for i, m in enumerate(call.messages) if not isinstance(m, System)), len(call.messages))
        messages = body["messages"]
        if isinstance(messages, list):
            messages.insert(place, self._messages.instructions(forms.words))
        if self._profile.output == "json":
            body["response_format"] = {"type": "json_object"}

    def _ask_by_tool(self, call: ModelCall, forms: _Output, name: str, body: JsonObject, tools: list[Json]) -> None:
        tool = forms.tool
        if name != _ANSWER_TOOL:
            tool = Wired({**tool, "function": {**obj(tool["function"]), "name": name}})
        if call.settings.tool_choice == "none":
            tools.clear()
        body["tool_choice"] = "required" if tools else {"type": "function", "function": {"name": name}}
        tools.append(tool)


def _output(output: OutputSpec) -> _Output:
    strict = fits_strict(output.schema)
    schema: JsonObject = {"name": schema_name(output.name), "schema": output.schema, "strict": strict}
    function: JsonObject = {
        "name": _ANSWER_TOOL,
        "description": "Give your final answer. Call it once, when you have all that the answer needs.",
        "parameters": output.schema,
    }
    return _Output(
        format=Wired({"type": "json_schema", "json_schema": schema}),
        tool=Wired({"type": "function", "function": function}),
        words="Give your final answer as one JSON object that fits this JSON Schema, and write nothing beside it:\n"
        + dump_json(output.schema),
    )
