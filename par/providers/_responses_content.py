"""What users and tools say, as items of the responses API.

Source: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from collections.abc import Container, Iterable
from mimetypes import guess_extension

from par._json import Json, JsonObject
from par.messages import Document, Image, Opaque, Text, ToolResult, User, UserBlock
from par.providers._reading import string
from par.providers._wired import Wired

__all__ = ["result_item", "system_item", "user_items"]

_PARTS = ("input_", "output_")
"""How the types of content parts begin; every other type is an item's."""


def system_item(text: str, role: str) -> Wired:
    """Return instructions that stand within the conversation."""
    return Wired({"role": role, "content": text})


def user_items(message: User, tags: Container[str]) -> list[Wired]:
    """Return the items of a user's message: one, and one more for each opaque item in it.

    Opaque blocks of providers that are not in ``tags`` are left out.
    """
    items: list[Wired] = []
    blocks: list[UserBlock] = []
    for block in message.content:
        if isinstance(block, Opaque) and block.provider in tags and _is_item(block.data):
            items.extend(_message(blocks))
            blocks = []
            items.append(Wired(block.data))
        elif not isinstance(block, Opaque) or block.provider in tags:
            blocks.append(block)
    items.extend(_message(blocks))
    return items


def _is_item(data: JsonObject) -> bool:
    return "role" in data or not string(data.get("type")).startswith(_PARTS)


def _message(blocks: list[UserBlock]) -> Iterable[Wired]:
    if len(blocks) == 1 and isinstance(blocks[0], Text):
        yield Wired({"role": "user", "content": blocks[0].text})
    elif blocks:
        yield Wired({"role": "user", "content": [_part(block) for block in blocks]})


def result_item(result: ToolResult, kind: str, call_id: str, tags: Container[str]) -> Wired:
    """Return what a tool call came to, as an item of ``kind`` that answers ``call_id``."""
    blocks = [block for block in result.blocks if not isinstance(block, Opaque) or block.provider in tags]
    output: Json = result.content
    if blocks:
        text: list[UserBlock] = [Text(result.content)] if result.content else []
        output = [_part(block) for block in [*text, *blocks]]
    return Wired({"type": kind, "call_id": call_id, "output": output})


def _part(block: UserBlock) -> JsonObject:
    match block:
        case Text():
            return {"type": "input_text", "text": block.text}
        case Image():
            url = block.url if block.url is not None else f"data:{block.media_type};base64,{block.base64}"
            part: JsonObject = {"type": "input_image", "image_url": url}
            return part if block.detail is None else {**part, "detail": block.detail}
        case Document():
            return _file(block)
        case Opaque():
            return block.data


def _file(document: Document) -> JsonObject:
    if document.file_id is not None:
        return {"type": "input_file", "file_id": document.file_id}
    if document.url is not None:
        return {"type": "input_file", "file_url": document.url}
    # the API wants a name with the bytes, and reads the kind of file from its ending
    name = document.name or f"document{guess_extension(document.media_type or '') or ''}"
    data = f"data:{document.media_type};base64,{document.base64}"
    return {"type": "input_file", "filename": name, "file_data": data}
