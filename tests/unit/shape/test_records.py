"""Classes with fields: attrs classes, dataclasses, typed dicts; generic, recursive, of one name."""

import dataclasses
from dataclasses import InitVar, dataclass, field
from typing import Annotated, Generic, NotRequired, Required, TypedDict, TypeVar

import attrs
import jsonschema
import pytest
from typing_extensions import ReadOnly, TypeAliasType
from unit.shape import later
from unit.shape.reading import bad, good, relaxed, schema, structured

from par import Param
from par._shape.read import UnreadableType, read_type
from par._shape.shape import MAX_PROBLEMS

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen
class Where:
    city: Annotated[str, "the city"]
    zip: int | None = None


@attrs.define
class Odd:
    _hidden: int
    kind: str = attrs.field(alias="sort")
    percent: int = attrs.field(validator=attrs.validators.in_([1, 2]))
    made: list[int] = attrs.Factory(list)
    counted: int = attrs.field(init=False, default=0)


@dataclass(kw_only=True)
class Trip:
    stops: list[Where]
    days: int = 3
    tags: list[str] = field(default_factory=list)
    counted: int = field(init=False, default=0)


@dataclass
class Picky:
    x: int

    def __post_init__(self):
        if self.x == 0:
            raise ZeroDivisionError
        if self.x < 0:
            raise KeyError(self.x)
        if self.x > 9:
            raise ValueError("x must be one digit.")


class Options(TypedDict):
    fast: bool
    note: NotRequired[str]
    size: ReadOnly[int]


class Partial(TypedDict, total=False):
    a: int
    b: Required[int]


@attrs.frozen
class Node:
    name: str
    kids: "list[Node]" = attrs.Factory(list)


@dataclass
class Left:
    right: "Right | None" = None


@dataclass
class Right:
    left: "Left | None" = None
    other: "Right | None" = None


@attrs.frozen
class Page(Generic[T]):
    items: list[T]
    next: "Page[T] | None" = None


@dataclass
class Pair(Generic[T, U]):
    first: T
    second: dict[str, U]


@dataclass
class Numbers(Pair[int, T]):
    third: T


class Box(TypedDict, Generic[T]):
    item: T


class IntBox(Box[int]):
    other: str


Tree = TypeAliasType("Tree", "int | list[Tree]")
Name = TypeAliasType("Name", Annotated[str, Param(max_length=3)])
Many = TypeAliasType("Many", list[T], type_params=(T,))
Forever = TypeAliasType("Forever", "Forever | int")
Itself = TypeAliasType("Itself", "Itself")


# --- what is read -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "value", "built"),
    [
        (Where, {"city": "Rome"}, Where("Rome")),
        (Where, {"city": "Rome", "zip": None}, Where("Rome")),
        (Where, {"zip": 3, "city": "Rome"}, Where("Rome", 3)),
        (Odd, {"_hidden": 1, "kind": "a", "percent": 2}, Odd(1, "a", 2)),
        (Trip, {"stops": [{"city": "Rome"}]}, Trip(stops=[Where("Rome")])),
        (Trip, {"stops": [], "days": 1, "tags": ["a"]}, Trip(stops=[], days=1, tags=["a"])),
        (Options, {"fast": True, "size": 3}, {"fast": True, "size": 3}),
        (Partial, {"b": 3}, {"b": 3}),
        (Node, {"name": "a", "kids": [{"name": "b"}]}, Node("a", [Node("b")])),
        (Left, {"right": {"left": {}}}, Left(Right(Left()))),
        (Page[int], {"items": [1], "next": {"items": []}}, Page([1], Page([]))),
        (Page[Where], {"items": [{"city": "a"}]}, Page([Where("a")])),
        (Pair[int, str], {"first": 1, "second": {"a": "b"}}, Pair(1, {"a": "b"})),
        (Numbers[str], {"first": 1, "second": {"a": "b"}, "third": "c"}, Numbers(1, {"a": "b"}, "c")),
        (Box[int], {"item": 3}, {"item": 3}),
        (IntBox, {"item": 3, "other": "a"}, {"item": 3, "other": "a"}),
        (Tree, [1, [2, []]], [1, [2, []]]),
        (Name, "abc", "abc"),
        (Many[int], [1], [1]),
        (later.Place, {"city": "a", "near": {"city": "b"}}, later.Place("a", later.Place("b"))),
        (later.Trip, {"stops": [{"city": "a"}], "tags": ["x"]}, later.Trip([later.Place("a")], 3, {"x"})),
        (later.Options, {"fast": True}, {"fast": True}),
        (later.Partial, {"b": 1}, {"b": 1}),
    ],
    ids=str,
)
def test_what_fits_is_built(hint, value, built):
    found = good(hint, value)

    assert found == built
    assert type(found) is type(built)
    assert read_type(hint).matches(found)


@pytest.mark.parametrize(
    ("hint", "value", "problems"),
    [
        (Where, "Rome", ['it: expected an object Where, got the text "Rome".']),
        (Where, {}, ["it.city is missing: send text."]),
        (Where, {"city": "a", "town": "b"}, ["it: 'town' is not a field. The fields are: city, zip."]),
        (Where, {"city": 3}, ["it.city: expected text, got the number 3. Send a JSON string."]),
        (Odd, {"_hidden": 1, "kind": "a", "percent": 3}, ["it: 'percent' must be in [1, 2] (got 3)."]),
        (
            Odd,
            {"_hidden": 1, "kind": "a", "percent": 2, "counted": 1},
            ["it: 'counted' is not a field. The fields are: _hidden, kind, percent, made."],
        ),
        (Trip, {"stops": [{"city": 1}]}, ["it.stops[0].city: expected text, got the number 1. Send a JSON string."]),
        (Options, {"fast": True}, ["it.size is missing: send a whole number."]),
        (Partial, {"a": 1}, ["it.b is missing: send a whole number."]),
        (Node, {"name": "a", "kids": [{}]}, ["it.kids[0].name is missing: send text."]),
        (Page[int], {"items": ["a"]}, ['it.items[0]: expected a whole number, got the text "a".']),
        (Tree, "x", ['it: expected a whole number or a list, each item a Tree, got the text "x".']),
        (Name, "abcd", ['it: must have at most 3 characters, got the text "abcd".']),
        (Many[int], ["a"], ['it[0]: expected a whole number, got the text "a".']),
        (later.Options, {}, ["it.fast is missing: send true or false."]),
        (later.Partial, {}, ["it.b is missing: send a whole number."]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_with_its_path(hint, value, problems):
    assert structured(hint, value)[1] == problems


@pytest.mark.parametrize(
    ("x", "told"),
    [(0, "it: ZeroDivisionError: ."), (-1, "it: KeyError: -1."), (10, "it: x must be one digit.")],
)
def test_whatever_a_class_raises_about_its_fields_is_told_to_the_model(x, told):
    assert bad(Picky, {"x": x}) == told


def test_a_class_is_not_made_of_parts_that_were_found_wrong():
    @dataclass
    class Strict:
        x: int
        y: tuple[int, ...]

        def __post_init__(self):
            assert isinstance(self.y, tuple)

    @dataclass
    class Outer:
        wrong: int
        strict: Strict

    assert bad(Outer, {"wrong": "a", "strict": {"x": 1, "y": [1]}}) == (
        'it.wrong: expected a whole number, got the text "a".'
    )


# --- the schema ---------------------------------------------------------------------------------------


def test_the_schema_of_a_class_has_its_fields_defaults_and_descriptions():
    assert schema(Where) == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "the city"},
            "zip": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_defaults_that_are_made_anew_are_optional_and_not_shown():
    found = schema(Trip)

    assert found["required"] == ["stops"]
    assert "default" not in found["properties"]["tags"]
    assert found["properties"]["days"]["default"] == 3


def test_a_class_that_contains_itself_is_a_definition():
    found = schema(Node)

    assert found["$ref"] == "#/$defs/Node"
    assert found["$defs"]["Node"]["properties"]["kids"]["items"] == {"$ref": "#/$defs/Node"}


def test_two_recursive_classes_of_one_name_have_a_definition_each():
    def first():
        @dataclass
        class Item:
            name: str
            inner: "list[Item]"

        Item.__annotations__["inner"] = list[Item]
        return Item

    def second():
        @dataclass
        class Item:
            number: int
            inner: "list[Item]"

        Item.__annotations__["inner"] = list[Item]
        return Item

    one, two = first(), second()

    found = schema(tuple[one, two, one])

    places = [item["$ref"] for item in found["prefixItems"]]
    assert places == ["#/$defs/Item", "#/$defs/Item2", "#/$defs/Item"]
    assert set(found["$defs"]["Item"]["properties"]) == {"name", "inner"}
    assert found["$defs"]["Item2"]["properties"]["inner"]["items"] == {"$ref": "#/$defs/Item2"}


def test_a_class_inside_a_class_of_its_name_is_not_taken_for_it():
    @dataclass
    class Item:
        x: int

    inner = Item

    def outer():
        @dataclass
        class Item:
            item: inner

        return Item

    found = schema(outer())

    assert "$defs" not in found
    assert set(found["properties"]["item"]["properties"]) == {"x"}


def test_generic_classes_are_told_apart_by_their_arguments():
    found = schema(tuple[Page[int], Page[str]])

    items = {name: part["properties"]["items"]["items"]["type"] for name, part in found["$defs"].items()}
    assert items == {"Page": "integer", "Page2": "string"}


def test_the_name_of_a_definition_is_safe_in_a_reference():
    kind = dataclasses.make_dataclass("Ding", [("inner", object)])
    kind.__name__ = "a/b~c d"
    kind.__annotations__["inner"] = kind | None
    kind.__dataclass_fields__["inner"].default = None

    found = schema(kind)

    assert found["$ref"] == "#/$defs/a_b_c_d"
    jsonschema.validate({"inner": {"inner": None}}, found)


@pytest.mark.parametrize("hint", [Node, Left, Right, Page[int], Tree, tuple[Node, Left, Tree], later.Place], ids=str)
def test_the_schemas_of_recursive_types_are_valid(hint):
    jsonschema.Draft202012Validator.check_schema(schema(hint))


# --- what cannot be read --------------------------------------------------------------------------------


def untyped():
    return attrs.make_class("Untyped", {"x": attrs.field()})


def wants_more():
    @dataclass
    class WantsMore:
        x: int
        y: InitVar[int]

    return WantsMore


def own_init():
    @attrs.define(init=False)
    class OwnInit:
        x: int

        def __init__(self, y):
            self.x = y

    return OwnInit


class Plain:
    x: int


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (untyped(), "the field x of Untyped has no type"),
        (wants_more(), "WantsMore cannot be made of its fields: it also wants y"),
        (own_init(), "OwnInit cannot be made of its fields: it also wants y"),
        (Plain, "Plain has no JSON form: use an attrs class"),
        (later.Lost, "the annotation 'Nowhere' cannot be resolved"),
        (Page, "~T has no JSON form"),
        (Page[bytes], "bytes has no JSON form"),
        (Forever, "stands for itself"),
        (Itself, "stands for itself"),
    ],
    ids=str,
)
def test_what_a_model_cannot_write_is_refused_when_the_type_is_read(hint, why):
    with pytest.raises(UnreadableType) as caught:
        read_type(hint)

    assert why in str(caught.value)


def test_an_annotation_that_is_no_type_expression_is_refused():
    @dataclass
    class Broken:
        x: "1 +"  # noqa: F722 # that is the point

    with pytest.raises(UnreadableType, match="an annotation cannot be resolved"):
        read_type(Broken)


# --- slips ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "slip", "meant"),
    [
        (Where, '{"city": "Rome", "zip": "12"}', {"city": "Rome", "zip": 12}),
        (Trip, {"stops": {"city": "Rome"}, "days": None}, {"stops": [{"city": "Rome"}]}),
        (Options, {"fast": "yes", "size": "3", "note": None}, {"fast": True, "size": 3}),
        (Where, {"city": "Rome", "zip": None}, {"city": "Rome", "zip": None}),
        (Tree, ["1"], [1]),
    ],
)
def test_slips_with_one_meaning_are_mended(hint, slip, meant):
    assert relaxed(hint, slip) == meant
    good(hint, meant)


@pytest.mark.parametrize("value", ["Rome", "[1]", '{"city": ', 3, None, {"town": 1}], ids=repr)
def test_what_has_no_one_meaning_is_left_alone(value):
    assert relaxed(Where, value) == value


# --- how much is told -----------------------------------------------------------------------------------


def test_no_more_is_told_than_a_model_can_use():
    wide = dataclasses.make_dataclass("Wide", [(f"x{number}", int) for number in range(100)])

    assert len(structured(wide, {})[1]) == MAX_PROBLEMS
    assert len(structured(wide, {f"x{number}": "a" for number in range(100)})[1]) == MAX_PROBLEMS
    assert len(structured(wide, {f"y{number}": "a" for number in range(100)})[1]) == MAX_PROBLEMS


@pytest.mark.parametrize(
    ("hint", "value", "matches"),
    [
        (Where, Where("a"), True),
        (Where, {"city": "a"}, False),
        (Options, {"fast": True, "size": 1}, True),
        (Options, {"fast": True}, False),
        (Options, {"fast": True, "size": "1"}, False),
        (Options, {"fast": True, "size": 1, "more": 1}, False),
        (Options, 3, False),
        (Box[Where], {"item": Where("a")}, True),
        (Box[Where], {"item": {"city": "a"}}, False),
    ],
)
def test_results_are_matched_by_class_or_by_key(hint, value, matches):
    assert read_type(hint).matches(value) is matches
