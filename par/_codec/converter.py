"""The one cattrs converter of par: made once, strict, and not changed afterwards."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import GenericAlias
from typing import Final, Protocol, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import IterableValidationNote
from cattrs.gen import (
    make_dict_structure_fn,
    make_dict_unstructure_fn,
    override,
)

import par.calls as calls
import par.events as events
import par.outcomes as outcomes
import par.sessions as sessions
import par.usage as usage
from par._codec.checked import checked_json, checked_object, finite, time_of, time_text
from par._codec.tags import CLASS_OF, TAGS, member_tags
from par._json import Json, JsonObject
from par._to_json import to_json
from par.messages import ResultBlock
from par.states import TaskState

__all__ = ["RECORDS", "Encoder", "decoder_of", "encoder_of"]

RECORDS: Final = (
    calls.Settings,
    calls.PromptCache,
    calls.ToolNames,
    calls.ToolSpec,
    calls.OutputSpec,
    usage.Usage,
    events.ErrorInfo,
    events.Envelope,
    sessions.TurnInfo,
    sessions.Approval,
)
"""The classes that no union has, which therefore need no tag."""

Encoder = Callable[[object], JsonObject]
_Hook = Callable[[object, object], object]
_BLOCKS: Final = tuple[ResultBlock, ...]


class _MakeReader(Protocol):
    def __call__(
        self, kind: type, converter: Converter, /, *, _cattrs_forbid_extra_keys: bool, **fields: object
    ) -> _Hook: ...


class _MakeWriter(Protocol):
    def __call__(self, kind: type, converter: Converter, /, **fields: object) -> Encoder: ...


# cattrs types these with classes of its own; what they return is called as the protocols say
_make_reader = cast("_MakeReader", make_dict_structure_fn)
_make_writer = cast("_MakeWriter", make_dict_unstructure_fn)


def _exactly(kind: type, name: str) -> _Hook:
    def read(value: object, _: object) -> object:
        if type(value) is not kind:
            raise TypeError(f"expected {name}, got {type(value).__name__}")
        return value

    return read


def _read_state(value: object, _: object) -> object:
    if type(value) is not str:
        raise TypeError(f"expected text, got {type(value).__name__}")
    return TaskState(value)


def _is_json(expected: object) -> bool:
    return expected is Json


def _is_json_object(expected: object) -> bool:
    return get_origin(expected) is dict and get_args(expected)[1] is Json


def _is_tuple(expected: object) -> bool:
    return get_origin(expected) is tuple


def _is_plain_dict(expected: object) -> bool:
    return get_origin(expected) is dict and not _is_json_object(expected)


def _is_tagged_union(expected: object) -> bool:
    return member_tags(expected) is not None


def _is_tool_choice(expected: object) -> bool:
    return expected == calls.ToolChoice


def _read_tool_choice(expected: object, converter: Converter) -> _Hook:
    words, names = get_args(expected)
    read_word: _Hook = converter.get_structure_hook(words)
    read_names: _Hook = converter.get_structure_hook(names)

    def read(value: object, _: object) -> object:
        if type(value) is dict:
            return read_names(cast("dict[object, object]", value), names)
        return read_word(value, words)

    return read


def _write_tool_choice(value: object) -> Json:
    return encoder_of(calls.ToolNames)(value) if isinstance(value, calls.ToolNames) else checked_json(value)


def _read_tuple(expected: object, converter: Converter) -> _Hook:
    items: object = GenericAlias(list, get_args(expected)[:1])
    inner: _Hook = converter.get_structure_hook(items)

    def read(value: object, _: object) -> object:
        if type(value) is not list:
            raise TypeError(f"expected a list, got {type(value).__name__}")
        content = cast("list[object]", value)
        return tuple(cast("list[object]", inner(content, items)))  # a hook for list makes a list

    return read


def _read_dict(expected: object, converter: Converter) -> _Hook:
    item: object = get_args(expected)[1]
    inner: _Hook = converter.get_structure_hook(item)

    def read(value: object, _: object) -> object:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {type(value).__name__}")
        result: dict[str, object] = {}
        for key, content in cast("dict[str, object]", value).items():
            try:
                result[key] = inner(content, item)
            except Exception as error:
                error.add_note(IterableValidationNote("", key, item))
                raise
        return result

    return read


def _read_union(expected: object, converter: Converter) -> _Hook:
    tags = member_tags(expected) or frozenset()
    hooks: dict[str, _Hook] = {tag: converter.get_structure_hook(CLASS_OF[tag]) for tag in tags}
    optional = type(None) in get_args(expected)

    def read(value: object, _: object) -> object:
        if value is None and optional:
            return None
        tag = _tag_in(value)
        hook = hooks.get(tag)
        if hook is None:
            raise ValueError(f'the "type" {tag[:80]!r} is none of {", ".join(sorted(tags))}')
        return hook(value, CLASS_OF[tag])

    return read


def _tag_in(value: object) -> str:
    if type(value) is not dict:
        raise TypeError(f"expected an object, got {type(value).__name__}")
    tag = cast("dict[object, object]", value).get("type")
    if type(tag) is not str:
        raise ValueError('the key "type" is missing' if tag is None else 'the "type" is no text')
    return tag


def _locals_of(kind: type[attrs.AttrsInstance]) -> frozenset[str]:
    return frozenset(field.name for field in attrs.fields(kind) if field.metadata.get("local"))


def _read_class(kind: type[attrs.AttrsInstance], converter: Converter) -> _Hook:
    left_out = {name: override(omit=True) for name in _locals_of(kind)}
    if kind is outcomes.Done:
        left_out["value"] = override(omit=True)
        inner: _Hook = _read_done
    elif kind is calls.RunResult:
        inner = _read_run_result(converter)
    else:
        inner = _make_reader(kind, converter, _cattrs_forbid_extra_keys=True, **left_out)
    tag = TAGS.get(kind)

    def read(value: object, _: object) -> object:
        if type(value) is not dict:
            raise TypeError(f"expected an object, got {type(value).__name__}")
        fields = cast("dict[object, object]", value)
        if tag is not None:
            if _tag_in(fields) != tag:
                raise ValueError(f'the "type" is {fields["type"]!r}, not {tag!r}')
            fields = {key: item for key, item in fields.items() if key != "type"}
        return inner(fields, kind)

    return read


def _read_done(value: object, _: object) -> object:
    fields = cast("dict[object, object]", value)  # the caller checked
    if "content" not in fields or not set(fields) <= {"content", "blocks"}:
        raise ValueError(f"expected the key content alone, or with blocks, got {sorted(map(str, fields))}")
    content = checked_json(fields["content"])
    blocks = decoder_of(_BLOCKS)(fields.get("blocks", []), _BLOCKS)
    return outcomes.Done[object](content, content, cast("tuple[ResultBlock, ...]", blocks))  # the line above reads them


def _read_run_result(converter: Converter) -> _Hook:
    kind = calls.RunResult
    inner = _make_reader(kind, converter, _cattrs_forbid_extra_keys=True, value=override(omit=True))

    def read(value: object, _: object) -> object:
        fields = dict(cast("dict[object, object]", value))  # the caller checked
        if "value" not in fields:
            return inner(fields, kind)
        output = checked_json(fields.pop("value"))
        result = cast("calls.RunResult[object]", inner(fields, kind))  # a hook for RunResult makes one
        return attrs.evolve(result, value=output)

    return read


def _encoder_of(kind: type[attrs.AttrsInstance], converter: Converter) -> Encoder:
    if kind is outcomes.Done:
        return _write_done
    left_out = {name: override(omit=True) for name in _locals_of(kind)}
    if kind is calls.RunResult:
        left_out["value"] = override(omit=True)
    inner = _make_writer(kind, converter, **left_out)
    tag = TAGS.get(kind)
    if tag is None:
        return inner

    def write(value: object) -> JsonObject:
        return {"type": tag, **inner(value)}

    return _with_output(write) if kind is calls.RunResult else write


def _with_output(write: Encoder) -> Encoder:
    def write_run_result(value: object) -> JsonObject:
        output = cast("calls.RunResult[object]", value).value  # the table calls this for a RunResult alone
        if isinstance(output, calls.NoOutput):
            return write(value)
        return {**write(value), "value": to_json(output)}

    return write_run_result


def _write_done(value: object) -> JsonObject:
    done = cast("outcomes.Done[object]", value)  # the table calls this for a Done alone
    document: JsonObject = {"type": "done", "content": checked_json(done.content)}
    if done.blocks:
        document["blocks"] = [encoder_of(type(block))(block) for block in done.blocks]
    return document


def _write_envelope(value: object) -> JsonObject:
    envelope = cast("events.Envelope", value)  # the table calls this for an Envelope alone
    event = envelope.event
    return {
        "id": envelope.id,
        "session": envelope.session,
        "run": envelope.run,
        "step": envelope.step,
        "parent": envelope.parent,
        "at": time_text(envelope.at),
        "seq": envelope.seq,
        "event": encoder_of(type(event))(event),
    }


def _is_known(expected: object) -> bool:
    return isinstance(expected, type) and (expected in TAGS or expected in RECORDS)


def _make_converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list}, forbid_extra_keys=True)
    for kind, name in ((str, "text"), (int, "a whole number"), (bool, "true or false"), (type(None), "null")):
        converter.register_structure_hook(kind, _exactly(kind, name))
    converter.register_structure_hook(TaskState, _read_state)
    converter.register_structure_hook(float, lambda value, _: finite(value))
    converter.register_structure_hook(datetime, lambda value, _: time_of(value))
    converter.register_structure_hook_func(_is_json, lambda value, _: checked_json(value))
    converter.register_structure_hook_func(_is_json_object, lambda value, _: checked_object(value))
    converter.register_structure_hook_factory(_is_plain_dict, _read_dict)
    converter.register_structure_hook_factory(_is_tuple, _read_tuple)
    converter.register_structure_hook_factory(_is_tagged_union, _read_union)
    converter.register_structure_hook_factory(_is_known, _read_class)
    converter.register_structure_hook_factory(_is_tool_choice, _read_tool_choice)
    converter.register_unstructure_hook_func(_is_tool_choice, _write_tool_choice)
    converter.register_unstructure_hook(TaskState, lambda state: state.value)
    converter.register_unstructure_hook(float, finite)
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_unstructure_hook_func(_is_json, checked_json)
    converter.register_unstructure_hook_func(_is_json_object, checked_object)
    converter.register_unstructure_hook_func(_is_tagged_union, _write_member)
    converter.register_unstructure_hook_factory(_is_known, _write_known)
    return converter


def _write_member(value: object) -> JsonObject:
    return encoder_of(type(value))(value)


def _write_known(kind: type, _: Converter) -> Encoder:
    return encoder_of(kind)


_CONVERTER: Final = _make_converter()


def _make_encoder(kind: type[object]) -> Encoder:
    if kind is events.Envelope:
        return _write_envelope
    if not attrs.has(kind) or not _is_known(kind):
        raise TypeError(f"{kind.__name__} is none of the values that par writes as JSON")
    return _encoder_of(kind, _CONVERTER)


def _make_decoder(expected: object) -> _Hook:
    if not (_is_known(get_origin(expected) or expected) or _is_tagged_union(expected) or expected is _BLOCKS):
        raise TypeError(f"{expected} is none of the values that par reads from JSON")
    hook: _Hook = _CONVERTER.get_structure_hook(expected)
    return hook


encoder_of = cast("Callable[[type], Encoder]", cache(_make_encoder))
"""The function that writes values of a class, generated on first use; TypeError if par has no such value."""

decoder_of = cast("Callable[[object], _Hook]", cache(_make_decoder))
"""The function that reads values of a class or union, generated on first use; TypeError if par has none."""
