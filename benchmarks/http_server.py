"""A server on this machine that speaks the three APIs as cheaply as it can: ``python -m benchmarks.http_server``.

What it answers stands in the model's name, so that it keeps nothing: ``fake-k3-n0`` calls the tool three times and then
says ``done``; ``fake-k0-n100`` says a hundred tokens. Bodies are searched, not parsed, and answers are made once: its
own cost is small and the same for all that are compared. It prints its port.
"""

import asyncio
import json
import re

LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
SCRIPT = re.compile(rb'"model"\s*:\s*"fake-k(\d+)-n(\d+)"')
STREAM = re.compile(rb'"stream"\s*:\s*true')
RESULT = {
    "chat": re.compile(rb'"role"\s*:\s*"tool"'),
    "responses": re.compile(rb'"type"\s*:\s*"function_call_output"'),
    "anthropic": re.compile(rb'"type"\s*:\s*"tool_result"'),
}
ARGUMENTS = '{"x": 0}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: %d\r\n\r\n"
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_1\r\ntransfer-encoding: chunked\r\n\r\n"
)
CHAT = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "fake"}
CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
USAGE = {"input_tokens": 10, "output_tokens": 5}


def chat(step: int, calls: bool, text: str):
    message = {"role": "assistant", "content": None if calls else text}
    if calls:
        function = {"name": "t0", "arguments": ARGUMENTS}
        message["tool_calls"] = [{"id": f"call_{step}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop", "logprobs": None}
    return {**CHAT, "object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE}


def chat_events(tokens: int):
    def chunk(delta, finish=None):
        return {
            **CHAT,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    yield chunk({"role": "assistant", "content": ""})
    for _ in range(tokens):
        yield chunk({"content": " tok"})
    yield chunk({}, "stop")
    yield {**CHAT, "object": "chat.completion.chunk", "choices": [], "usage": CHAT_USAGE}
    yield "[DONE]"


def responses(step: int, calls: bool, text: str):
    if calls:
        item = {"type": "function_call", "id": f"fc_{step}", "call_id": f"call_{step}", "name": "t0"}
        item |= {"arguments": ARGUMENTS, "status": "completed"}
    else:
        item = said(text)
    return response("completed", [item])


def said(text: str):
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]}


def response(status: str, output):
    base = {"id": "resp_1", "object": "response", "created_at": 1_700_000_000, "status": status, "model": "fake"}
    base |= {"error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "output": output}
    base |= {"parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {**USAGE, "total_tokens": 15, **details} if output else None
    return {**base, "usage": usage}


def responses_events(tokens: int):
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = said(" tok" * tokens)
    events = [
        {"type": "response.created", "response": response("in_progress", [])},
        {"type": "response.output_item.added", "output_index": 0, "item": {**whole, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**whole["content"][0], "text": ""}},
        *[{"type": "response.output_text.delta", **place, "delta": " tok"} for _ in range(tokens)],
        {"type": "response.output_text.done", **place, "text": " tok" * tokens},
        {"type": "response.content_part.done", **place, "part": whole["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": response("completed", [whole])},
    ]
    for number, event in enumerate(events):
        yield {**event, "sequence_number": number}


def anthropic(step: int, calls: bool, text: str):
    block = {"type": "text", "text": text}
    if calls:
        block = {"type": "tool_use", "id": f"call_{step}", "name": "t0", "input": {"x": 0}}
    return {**message([block]), "stop_reason": "tool_use" if calls else "end_turn"}


def message(content):
    base = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "content": content}
    return {**base, "stop_reason": None, "stop_sequence": None, "usage": USAGE}


def anthropic_events(tokens: int):
    yield {"type": "message_start", "message": message([])}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for _ in range(tokens):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " tok"}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": USAGE}
    yield {"type": "message_stop"}


WHOLE = {"chat": chat, "responses": responses, "anthropic": anthropic}
EVENTS = {"chat": chat_events, "responses": responses_events, "anthropic": anthropic_events}


def sse(event) -> bytes:
    name = "" if isinstance(event, str) or "type" not in event else f"event: {event['type']}\n"
    data = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))
    text = f"{name}data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(text), text)


class Connection(asyncio.Protocol):
    def __init__(self, answers: dict[tuple[object, ...], list[bytes]]) -> None:
        self.answers = answers

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            found = LENGTH.search(head)
            whole = end + 4 + (int(found.group(1)) if found else 0)
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            self.transport.writelines(self.answer(head, body))

    def answer(self, head: bytes, body: bytes) -> list[bytes]:
        path = head.split(b" ", 2)[1]
        api = "chat" if b"chat" in path else "responses" if b"responses" in path else "anthropic"
        script = SCRIPT.search(body)
        steps, tokens = int(script.group(1)), int(script.group(2))
        stream = STREAM.search(body) is not None
        step = min(len(RESULT[api].findall(body)), steps)
        key = (api, stream, step, steps, tokens)
        if key not in self.answers:
            self.answers[key] = self.made(api, stream=stream, step=step, calls=step < steps, tokens=tokens)
        return self.answers[key]

    def made(self, api: str, *, stream: bool, step: int, calls: bool, tokens: int) -> list[bytes]:
        if stream:
            return [SSE_HEAD, *[sse(event) for event in EVENTS[api](tokens)], b"0\r\n\r\n"]
        text = " tok" * tokens if tokens else "done"
        body = json.dumps(WHOLE[api](step, calls, text), separators=(",", ":")).encode()
        return [HEAD % len(body) + body]


async def serve() -> None:
    answers = {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
