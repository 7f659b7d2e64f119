"""Messages in the form of the Anthropic wire: one par message gives the messages of the wire that stand for it.

Source: https://platform.claude.com/docs/en/api/messages
"""

import re
from base64 import b64decode
from hashlib import blake2b

from par._json import Json, JsonObject
from par.errors import UsageError
from par.messages import (
    Assistant,
    Document,
    Image,
    Opaque,
    Reasoning,
    ResultBlock,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
    UserBlock,
)
from par.providers._reading import array, obj, string
from par.providers._wired import Wired

__all__ = ["PROVIDER", "container_of", "marks_of", "wire_id", "wire_messages"]

PROVIDER = "anthropic"

_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_TEXTS = frozenset({"application/json", "application/xml", "application/x-yaml", "application/yaml"})


def wire_messages(message: User | Assistant | ToolResults) -> tuple[Wired, ...]:
    """Return the messages of the wire for one message: mostly one, none if nothing of it may be sent.

    Raises:
        UsageError: for a document of a kind that the API does not read.
    """
    content: list[Json] = []
    done: list[Wired] = []
    role = "assistant" if isinstance(message, Assistant) else "user"
    if isinstance(message, ToolResults):
        content = [_tool_result(result) for result in message.results]
    else:
        for block in message.content:
            if isinstance(block, Opaque) and block.provider == PROVIDER and "role" in block.data:
                _close(role, content, done)
                content = []
                done.append(Wired(block.data))
            elif isinstance(block, Opaque):
                _add_opaque(block, content)
            else:
                form = _assistant_block(block) if isinstance(message, Assistant) else _user_block(block)
                if form is not None:
                    content.append(form)
    _close(role, content, done)
    return tuple(done)


def container_of(message: Assistant) -> str | None:
    """Return the id of the container that the model's tools ran in while it said this."""
    for block in message.content:
        if isinstance(block, Opaque) and block.provider == PROVIDER and "container" in block.data:
            container = block.data["container"]
            return string(container) or string(obj(container).get("id")) or None
    return None


def wire_id(id_: str) -> str:
    """Return an id that the API accepts: its own as they are, others' without the characters that it refuses."""
    if _ID.match(id_):
        return id_
    return f"{_NOT_IN_AN_ID.sub('_', id_)}_{blake2b(id_.encode(), digest_size=6).hexdigest()}"


def _close(role: str, content: list[Json], done: list[Wired]) -> None:
    if content:
        done.append(Wired({"role": role, "content": content}))


def _add_opaque(block: Opaque, content: list[Json]) -> None:
    """Put back a block, or the fields that par has no place for into the block before."""
    data = block.data
    if block.provider != PROVIDER:
        return
    if "type" in data:
        content.append(Wired(data))
    elif content and "fields" in data and data.get("of") in (None, obj(content[-1]).get("type")):
        # what they belonged to may be gone: emptied by a layer, or refused by the API
        content[-1] = Wired({**obj(content[-1]), **obj(data["fields"])})


def _assistant_block(block: object) -> Wired | None:
    match block:
        case Text():
            # models write nothing but a line break between thoughts, and the API does not take it back
            return Wired({"type": "text", "text": block.text}) if block.text.strip() else None
        case Reasoning():
            # without a signature it is another provider's, and the API refuses it
            if block.signature is None:
                return None
            return Wired({"type": "thinking", "thinking": block.text, "signature": block.signature})
        case ToolUse():
            return Wired({"type": "tool_use", "id": wire_id(block.id), "name": block.name, "input": _input(block)})
        case _:
            return None


def _input(use: ToolUse) -> JsonObject:
    # the API takes nothing but an object here
    return use.arguments if use.malformed is None else {"malformed": use.malformed}


def _user_block(block: UserBlock | ResultBlock | object) -> Wired | None:
    match block:
        case Text():
            return Wired({"type": "text", "text": block.text}) if block.text.strip() else None
        case Image():
            return Wired({"type": "image", "source": _image_source(block)})
        case Document():
            return _document(block)
        case _:
            return None


def _tool_result(result: ToolResult) -> Wired:
    content: list[Json] = [Wired({"type": "text", "text": result.content})] if result.content.strip() else []
    whole: JsonObject = {}
    for block in result.blocks:
        if isinstance(block, Opaque) and block.provider == PROVIDER and "result" in block.data:
            whole.update(obj(block.data["result"]))
        elif isinstance(block, Opaque):
            _add_opaque(block, content)
        else:
            form = _user_block(block)
            if form is not None:
                content.append(form)
    return Wired({
        "type": "tool_result",
        "tool_use_id": wire_id(result.tool_use_id),
        "content": content if result.blocks else result.content,
        "is_error": result.is_error,
        **whole,
    })


def _image_source(image: Image) -> JsonObject:
    if image.url is not None:
        return _url_source(image.url)
    return {"type": "base64", "media_type": image.media_type, "data": image.base64}


def _url_source(url: str) -> JsonObject:
    data = _DATA_URL.match(url)
    if data is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": data["type"].lower(), "data": url[data.end() :]}


def _document(document: Document) -> Wired:
    kind = (document.media_type or "").lower()
    picture = kind.startswith("image/")
    block: JsonObject = {"type": "image" if picture else "document", "source": _document_source(document, kind)}
    if document.name is not None and not picture:
        block["title"] = document.name
    return Wired(block)


def _document_source(document: Document, kind: str) -> JsonObject:
    if document.file_id is not None:
        return {"type": "file", "file_id": document.file_id}
    source: JsonObject
    if document.url is not None:
        source = _url_source(document.url)
        if source["type"] == "url":
            return source
        kind = string(source["media_type"])
    else:
        source = {"type": "base64", "media_type": kind, "data": document.base64}
    if kind == "application/pdf" or kind.startswith("image/"):
        return source
    if kind.partition(";")[0] in _TEXTS or kind.startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": _text_of(string(source["data"]), document.name)}
    raise UsageError(
        f"Anthropic's API reads documents that are PDF or text, not {kind}: upload it and give its file_id, "
        "or send its text"
    )


def _text_of(data: str, name: str | None) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except ValueError as error:
        raise UsageError(f"the document {name or ''!r} is no base64 of text in UTF-8: {error}") from error


def marks_of(message: JsonObject) -> int:
    """Return how many cache breakpoints stand in a message already."""
    return sum(1 for block in array(message.get("content")) if "cache_control" in obj(block))
