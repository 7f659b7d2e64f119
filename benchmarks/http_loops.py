"""Two baselines over HTTP: a loop on dicts with httpx, and the same with the SDK's own ``create()``."""

import json

import anyio
import httpx2
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

TEXT = "hi"
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
MAX_TOKENS = 4096


class Chat:
    """What a request and an answer of chat completions look like."""

    def __init__(self):
        self.path = "/v1/chat/completions"
        self.tools = [
            {"type": "function", "function": {"name": "t0", "description": "A trivial tool.", "parameters": SCHEMA}},
        ]
        self.extra = {}
        self.history = "messages"
        self.first = {"role": "user", "content": TEXT}

    def message(self, body):
        return body["choices"][0]["message"]

    def take(self, body, history):
        message = self.message(body)
        history.append(message)
        return [(c["id"], c["function"]["arguments"]) for c in message.get("tool_calls") or ()]

    def give(self, results, history):
        history.extend({"role": "tool", "tool_call_id": id_, "content": text} for id_, text in results)

    def text(self, body):
        return self.message(body)["content"]

    def token(self, event):
        choices = event["choices"]
        return choices[0]["delta"].get("content") if choices else None


class Responses:
    """The same of the responses API."""

    def __init__(self):
        self.path = "/v1/responses"
        self.tools = [{"type": "function", "name": "t0", "description": "A trivial tool.", "parameters": SCHEMA}]
        self.extra = {}
        self.history = "input"
        self.first = {"role": "user", "content": TEXT}

    def take(self, body, history):
        history.extend(body["output"])
        return [(i["call_id"], i["arguments"]) for i in body["output"] if i["type"] == "function_call"]

    def give(self, results, history):
        history.extend({"type": "function_call_output", "call_id": id_, "output": text} for id_, text in results)

    def text(self, body):
        return body["output"][0]["content"][0]["text"]

    def token(self, event):
        return event["delta"] if event["type"] == "response.output_text.delta" else None


class Messages:
    """The same of Anthropic's messages API."""

    def __init__(self):
        self.path = "/v1/messages"
        self.tools = [{"name": "t0", "description": "A trivial tool.", "input_schema": SCHEMA}]
        self.extra = {"max_tokens": MAX_TOKENS}
        self.history = "messages"
        self.first = {"role": "user", "content": TEXT}

    def take(self, body, history):
        history.append({"role": "assistant", "content": body["content"]})
        return [(b["id"], json.dumps(b["input"])) for b in body["content"] if b["type"] == "tool_use"]

    def give(self, results, history):
        content = [{"type": "tool_result", "tool_use_id": id_, "content": text} for id_, text in results]
        history.append({"role": "user", "content": content})

    def text(self, body):
        return body["content"][0]["text"]

    def token(self, event):
        return event["delta"].get("text") if event["type"] == "content_block_delta" else None


APIS = {"chat": Chat(), "responses": Responses(), "anthropic": Messages()}


class Loop:
    """A loop on dicts: one request, then its tools in a task group, until there are none."""

    def __init__(self, api: str, base_url: str, function) -> None:
        self.api = APIS[api]
        self.function = function
        headers = {"authorization": "Bearer x", "x-api-key": "x", "anthropic-version": "2023-06-01"}
        self.client = httpx2.AsyncClient(base_url=base_url, headers=headers, timeout=60)

    async def answer(self, model: str, history):
        body = {"model": model, self.api.history: history, "tools": self.api.tools, **self.api.extra}
        return json.loads((await self.client.post(self.api.path, json=body)).content)

    async def run(self, model: str) -> str:
        history = [self.api.first]
        while True:
            body = await self.answer(model, history)
            calls = self.api.take(body, history)
            if not calls:
                return self.api.text(body)
            results = [None] * len(calls)

            async def one(place, id_, arguments, results=results):
                results[place] = (id_, await self.function(**json.loads(arguments)))

            async with anyio.create_task_group() as group:
                for place, call in enumerate(calls):
                    group.start_soon(one, place, *call)
            self.api.give(results, history)

    async def stream(self, model: str, on_text) -> None:
        body = {"model": model, self.api.history: [self.api.first], "tools": self.api.tools, "stream": True}
        async with self.client.stream("POST", self.api.path, json={**body, **self.api.extra}) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    text = self.api.token(json.loads(line[6:]))
                    if text:
                        on_text(text)

    async def aclose(self) -> None:
        await self.client.aclose()


class Sdk(Loop):
    """The same with the SDK's typed ``create()``, its objects turned into what it takes again."""

    def __init__(self, api: str, base_url: str, function) -> None:
        self.api = APIS[api]
        self.function = function
        if api == "anthropic":
            self.client = AsyncAnthropic(api_key="x", base_url=base_url, max_retries=0)
            self.create = self.client.messages.create
        else:
            self.client = AsyncOpenAI(api_key="x", base_url=f"{base_url}/v1", max_retries=0)
            self.create = self.client.chat.completions.create if api == "chat" else self.client.responses.create

    async def answer(self, model: str, history):
        body = {"model": model, self.api.history: history, "tools": self.api.tools, **self.api.extra}
        return (await self.create(**body)).model_dump(exclude_none=True)

    async def stream(self, model: str, on_text) -> None:
        body = {"model": model, self.api.history: [self.api.first], "tools": self.api.tools, **self.api.extra}
        async for event in await self.create(**body, stream=True):
            text = self.token(event)
            if text:
                on_text(text)

    def token(self, event):
        if isinstance(self.api, Chat):
            return event.choices[0].delta.content if event.choices else None
        if isinstance(self.api, Responses):
            return event.delta if event.type == "response.output_text.delta" else None
        return event.delta.text if event.type == "content_block_delta" else None

    async def aclose(self) -> None:
        await self.client.close()
