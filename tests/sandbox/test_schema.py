"""Values for JSON schemas: always valid, and from the prompt where they fit."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from litellm_qwen_ai.sandbox.schema import Source, sample

PROMPT = "Book 2 seats for Alice and Bob to Rome on 2026-03-04, window, mail to alice@example.org"


def _sample(schema: Any, prompt: str = PROMPT, *, optional: bool = False) -> Any:
    value = sample(schema, Source.of(prompt), optional=optional)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)
    return value


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


STRING, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}


def test_values_come_from_the_prompt_where_they_fit() -> None:
    for schema, expected in [
        (_object(who=STRING, where=STRING), {"who": "Alice", "where": "Bob"}),
        (_object(seats=INTEGER), {"seats": 2}),
        (_object(seats={"type": "integer", "minimum": 5}), {"seats": 2026}),
        (_object(seats={"type": "integer", "exclusiveMaximum": 2}), {"seats": 1}),
        (_object(share={"type": "number", "minimum": 0, "maximum": 1}), {"share": 0}),
        (_object(step={"type": "integer", "multipleOf": 5, "minimum": 3, "maximum": 9}), {"step": 5}),
        (_object(query=STRING), {"query": PROMPT}),
        (_object(day={"type": "string", "format": "date"}), {"day": "2026-03-04"}),
        (_object(mail={"type": "string", "format": "email"}), {"mail": "alice@example.org"}),
        (_object(id={"type": "string", "format": "uuid"}), {"id": "00000000-0000-4000-8000-000000000000"}),
        (_object(place={"enum": ["aisle", "window"]}), {"place": "window"}),
        (_object(place={"enum": ["front", "back"]}), {"place": "front"}),
        (_object(kind={"const": "booking"}), {"kind": "booking"}),
        (_object(sure={"type": "boolean"}), {"sure": True}),
        (_object(nothing={"type": "null"}), {"nothing": None}),
        (_object(who={"type": ["null", "string"]}), {"who": "Alice"}),
        (_object(who={"anyOf": [{"type": "null"}, STRING]}), {"who": "Alice"}),
        (_object(all={"type": "array", "items": STRING}), {"all": ["Alice", "Bob", "Rome"]}),
        (_object(two={"type": "array", "items": STRING, "maxItems": 2}), {"two": ["Alice", "Bob"]}),
        (_object(pair={"type": "array", "prefixItems": [STRING, INTEGER]}), {"pair": ["Alice", 2]}),
        (_object(code={"type": "string", "pattern": "^R[a-z]+$"}), {"code": "Rome"}),
        (_object(short={"type": "string", "maxLength": 3}), {"short": "Ali"}),
        (_object(long={"type": "string", "minLength": 7}), {"long": "Alice.."}),
        (
            _object(ids={"type": "array", "items": INTEGER, "minItems": 6, "uniqueItems": True}),
            {"ids": [2, 2026, 3, 4, 1, 2027]},
        ),
        (
            _object(all={"type": "array", "items": STRING, "minItems": 4, "uniqueItems": True}),
            {"all": ["Alice", "Bob", "Rome", PROMPT]},
        ),
        (_object(same={"type": "array", "items": {"const": "x"}, "uniqueItems": True}), {"same": ["x"]}),
        (
            _object(
                all={
                    "type": "array",
                    "items": {"enum": ["aisle", "window"]},
                    "minItems": 2,
                    "uniqueItems": True,
                }
            ),
            {"all": ["window", "aisle"]},
        ),
        ({"properties": {"who": STRING}, "required": ["who"]}, {"who": "Alice"}),
        (_object(lot={"type": "integer", "minimum": 3000, "default": 4000}), {"lot": 4000}),
        (_object(lot={"type": "integer", "minimum": 3000, "default": 5}), {"lot": 3000}),
        (_object(lot={"type": "integer", "minimum": 3000, "default": 3000.5}), {"lot": 3000}),
        (
            _object(lot={"anyOf": [{"type": "integer", "minimum": 3000}, {"type": "null"}], "default": None}),
            {"lot": 3000},
        ),
        ({"items": STRING}, ["Alice", "Bob", "Rome"]),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"city": STRING, "unit": STRING}}, {"city": "Alice"}),
        (
            {"allOf": [_object(who=STRING), _object(seats=INTEGER)]},
            {"who": "Alice", "seats": 2},
        ),
        (
            {"$defs": {"P": _object(who=STRING)}, **_object(first={"$ref": "#/$defs/P"})},
            {"first": {"who": "Alice"}},
        ),
    ]:
        assert _sample(schema) == expected


def test_optional_members_are_left_out_unless_wanted_or_spoken_of() -> None:
    schema = {
        "type": "object",
        "properties": {"who": STRING, "note": STRING, "place": {"enum": ["aisle", "window"]}},
        "required": ["who"],
    }
    assert _sample(schema) == {"who": "Alice", "place": "window"}
    assert set(_sample(schema, optional=True)) == {"who", "note", "place"}


def test_a_schema_that_refers_to_itself_ends() -> None:
    tree = _object(name=STRING, children={"type": "array", "items": {"$ref": "#/$defs/T"}})
    value = _sample({"$defs": {"T": tree}, "$ref": "#/$defs/T"}, optional=True)
    assert value["name"] == "Alice"
    linked = _object(next={"anyOf": [{"$ref": "#/$defs/L"}, {"type": "null"}]})
    assert "next" in _sample({"$defs": {"L": linked}, "$ref": "#/$defs/L"})


def test_a_schema_that_refers_to_itself_often_ends_before_long() -> None:
    node = {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}
    for required in ([], list("abcdef")):
        tree = {"type": "object", "properties": dict.fromkeys("abcdef", node), "required": required}
        value = _sample({"$defs": {"N": tree}, "$ref": "#/$defs/N"}, optional=True)
        assert value["a"]["a"]["a"]["a"]
        assert len(str(value)) < 1_000_000


def test_a_schema_that_says_nothing_gets_the_prompt() -> None:
    for schema in [{}, True, None, {"type": "string"}, {"$ref": "#/nowhere"}]:
        assert sample(schema, Source.of("hello")) == "hello"


_LEAF = st.one_of(
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-100, 100),
        st.integers(0, 50),
    ),
    st.builds(
        lambda low, span: {"type": "number", "exclusiveMinimum": low, "maximum": low + 1 + span},
        st.integers(-100, 100),
        st.integers(0, 50),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True).map(lambda options: {"enum": options}),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": "string", "format": "date"}]),
)


_ANY = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none())
)


def _maybe_with_a_default(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A default need not fit: that of `int | None = None` is null beside an integer."""
    return schemas | st.builds(lambda schema, default: {**schema, "default": default}, schemas, _ANY)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.dictionaries(st.text(max_size=8), inner, max_size=4).flatmap(
            lambda properties: st.lists(st.sampled_from(sorted(properties) or [""]), unique=True).map(
                lambda required: {
                    "type": "object",
                    "properties": properties,
                    "required": [name for name in required if name in properties],
                    "additionalProperties": False,
                }
            )
        ),
        st.builds(
            lambda items, low, span: {
                "type": "array",
                "items": items,
                "minItems": low,
                "maxItems": low + span,
            },
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
    )


@given(
    st.recursive(
        _maybe_with_a_default(_LEAF), lambda inner: _maybe_with_a_default(_nested(inner)), max_leaves=8
    ),
    st.text(max_size=60),
    st.booleans(),
)
def test_every_value_is_valid(schema: Any, prompt: str, optional: bool) -> None:  # hypothesis passes it
    _sample(schema, prompt, optional=optional)
