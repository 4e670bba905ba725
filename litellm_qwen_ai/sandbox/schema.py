"""Values that fit a JSON schema, taken from the words of a prompt where they fit."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from litellm_qwen_ai.sandbox.words import names, numbers, words

# A schema that refers to itself ends here, or with so many values: where it does so twice, each level has
# twice those of the one above.
_DEEPEST, _LONGEST = 12, 1_000
# Values of a schema, or characters of a text, that it may ask for: as many as tokens in an answer.
_MOST = 65_536
_WHOLE_TEXT = frozenset(
    {"answer", "body", "code", "command", "content", "description", "input", "message", "prompt", "query"}
    | {"question", "reason", "request", "response", "summary", "task", "text", "thought", "title"}
)
_FORMATS = {
    "date": (r"\d{4}-\d\d-\d\d", "2026-01-31"),
    "date-time": (r"\d{4}-\d\d-\d\dT\S+", "2026-01-31T12:00:00Z"),
    "time": (r"\d\d:\d\d:\d\dZ?", "12:00:00Z"),
    "email": (r"[\w.+-]+@[\w-]+\.[\w.-]+\w", "someone@example.com"),
    "uri": (r"https?://\S+", "https://example.com/"),
    "uuid": (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-4000-8000-000000000000"),
}


class UnusableSchemaError(ValueError):
    """What should be a JSON schema is none; the message says which member of it is wrong."""


@dataclass(slots=True)
class Source:
    """The prompt that values are taken from; names and numbers are used up in order.

    Attributes:
        text: The prompt, or the piece of it that is meant.
        context: The whole prompt, in which the options of an `enum` are looked for too.
        names: What it names.
        numbers: The numbers in it.
        records: An array of objects gets one for each name, not just one.
    """

    text: str
    context: str = ""
    names: list[str] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    records: bool = False

    @classmethod
    def of(cls, text: str, context: str = "") -> Source:
        """Read a prompt."""
        return cls(text.strip(), context, [name.text for name in names(text)], numbers(text))


def sample(schema: Any, source: Source, *, optional: bool = False) -> Any:
    """Return a value that is valid for a JSON schema.

    `pattern` is met only if some word of the prompt meets it.

    Args:
        schema: The schema; a boolean schema or one without a type takes the prompt's text.
        source: Where values come from.
        optional: Also fill the members that the schema does not require.

    Raises:
        UnusableSchemaError: A member of the schema has a wrong type, a number in it is beyond all use, or it
            asks for too many values.
    """
    root = schema if isinstance(schema, Mapping) else {}
    try:
        return _Sampler(root, source, optional=optional).value(schema, "", 0)
    except ArithmeticError as error:
        raise UnusableSchemaError(f"its numbers are too large or too small ({error})") from error


class _Sampler:
    def __init__(self, root: Mapping[str, Any], source: Source, *, optional: bool) -> None:
        self._root = root
        self._source = source
        self._optional = optional
        self._made = 0

    def value(self, schema: Any, name: str, depth: int) -> Any:  # noqa: PLR0911  # one for each type
        self._made += 1
        if self._made > _MOST:
            raise UnusableSchemaError(f"it asks for more than {_MOST} values")
        schema = self._resolve(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._one_of(schema["enum"])
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("number", "integer"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return True
        return None if kind == "null" else self._string(schema, name)

    def _ends(self, depth: int) -> bool:
        """Whether there is only what must be from here on."""
        return depth >= _DEEPEST or self._made >= _LONGEST

    def _resolve(self, schema: Any, depth: int) -> Mapping[str, Any]:
        """Follow references and choose among alternatives until a plain schema is left."""
        for _ in range(_DEEPEST):
            schema = _checked(schema)
            if "$ref" in schema:
                schema = {**self._follow(schema["$ref"]), **{k: v for k, v in schema.items() if k != "$ref"}}
            elif schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                schema = _merge([*schema["allOf"], rest])
            elif options := schema.get("anyOf") or schema.get("oneOf"):
                rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
                schema = _merge([rest, _choose(options, deep=self._ends(depth))])
            else:
                break
        return _checked(schema)

    def _follow(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            found = (
                found.get(step.replace("~1", "/").replace("~0", "~"), {})
                if isinstance(found, Mapping)
                else {}
            )
        return found if isinstance(found, Mapping) else {}

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or []
        wanted = [
            name
            for name in [*properties, *(name for name in required if name not in properties)]
            if name in required
            or (not self._ends(depth) and (self._optional or self._mentioned(properties[name])))
        ]
        if not wanted and not required and not self._ends(depth):
            wanted = list(properties)[:1]  # a tool without required arguments still gets one
        return {name: self.value(properties.get(name, {}), name, depth + 1) for name in wanted}

    def _mentioned(self, schema: Any) -> bool:
        options = self._resolve(schema, 0).get("enum") or []
        return bool(self._said() & {str(option).lower() for option in options})

    def _said(self) -> set[str]:
        return words(f"{self._source.text} {self._source.context}")

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        fixed = [self.value(item, name, depth + 1) for item in schema.get("prefixItems") or []]
        items = schema.get("items")
        fewest = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", max(fewest, 8)))
        if items is False or (fixed and items is None):
            return fixed
        few = fewest if self._ends(depth) else max(fewest, min(most, 1))
        plain = self._resolve(items, depth)
        options = [plain["const"]] if "const" in plain else plain.get("enum")
        kind = "option" if options else _type_of(plain)
        supply: dict[str, Sized] = {
            "string": self._source.names,
            "integer": self._source.numbers,
            "number": self._source.numbers,
        }
        if kind == "object" and self._source.records and self._takes_a_name(plain, depth):
            supply["object"] = self._source.names
        count = max(few, min(most, len(supply.get(kind, ())))) - len(fixed)
        found = fixed + [self.value(items, name, depth + 1) for _ in range(max(0, count))]
        if not schema.get("uniqueItems"):
            return found
        return self._different(options, len(found)) if options else _unlike(found)

    def _takes_a_name(self, schema: Mapping[str, Any], depth: int) -> bool:
        """Say whether one member of an object, and only one, takes its value from the prompt's names."""
        members = (self._resolve(member, depth) for member in (schema.get("properties") or {}).values())
        return [_type_of(member) for member in members if "enum" not in member].count("string") == 1

    def _different(self, options: list[Any], count: int) -> list[Any]:
        """Take options without repeating one, those that the prompt speaks of first."""
        said = self._said()
        return sorted(options, key=lambda option: str(option).lower() not in said)[:count]

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        step = schema.get("multipleOf") or (1 if whole else None)
        low = _bound(schema, "minimum", "exclusiveMinimum", step or 0.5)
        high = _bound(schema, "maximum", "exclusiveMaximum", -(step or 0.5))

        def fits(value: float) -> bool:
            return (
                (not whole or float(value).is_integer())
                and (low is None or value >= low)
                and (high is None or value <= high)
            )

        usual = low if low is not None else min(1.0, high if high is not None else 1.0)
        default = schema.get("default")
        value: float = default if _is_number(default) and fits(default) else usual
        for index, found in enumerate(self._source.numbers):
            if fits(found):
                value = self._source.numbers.pop(index)
                break
        if step:
            value = max(value // step * step, math.ceil(low / step) * step if low is not None else -math.inf)
        if not math.isfinite(value):
            raise OverflowError("no number")
        return int(value) if float(value).is_integer() else value

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        if schema.get("format") in _FORMATS:
            pattern, usual = _FORMATS[schema["format"]]
            found = re.search(pattern, self._source.text)
            return found.group() if found else usual
        if schema.get("pattern"):
            return self._matching(schema["pattern"])
        if name.lower() in _WHOLE_TEXT or not self._source.names:
            text = self._source.text
        else:
            text = self._source.names.pop(0)
        text = text[: int(schema["maxLength"])] if "maxLength" in schema else text
        return text.ljust(int(schema.get("minLength", 0)), ".")

    def _matching(self, pattern: str) -> str:
        try:
            meets = re.compile(pattern)
        except (re.error, OverflowError):  # the patterns of schemas are those of JavaScript
            return self._source.text
        tried = [*self._source.names, *self._source.text.split(), self._source.text, "a", "A", "0"]
        return next(filter(meets.search, tried), self._source.text)

    def _one_of(self, options: list[Any]) -> Any:
        said = self._said()
        return next((option for option in options if str(option).lower() in said), options[0])


def _is_number(value: Any) -> TypeGuard[float]:
    """Whether a float can hold it; a boolean is no number."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max  # not so of NaN
    )


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and float(value).is_integer()


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_LIST = ("an array", lambda value: isinstance(value, list))
_TEXT = ("a string", lambda value: isinstance(value, str))
_NUMBER = ("a number", _is_number)
# Exclusive bounds were booleans once.
_LIMIT = ("a number or a boolean", lambda value: isinstance(value, bool) or _is_number(value))
_COUNT = ("a whole number from 0 on", _is_count)
_FEWEST = (f"a whole number from 0 to {_MOST}", lambda value: _is_count(value) and value <= _MOST)
# What the sampler reads, and what it must be.
_MEMBERS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "enum", "prefixItems"), _LIST),
    **dict.fromkeys(("$ref", "format", "pattern"), _TEXT),
    **dict.fromkeys(("minimum", "maximum"), _NUMBER),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _LIMIT),
    **dict.fromkeys(("maxItems", "maxLength"), _COUNT),
    **dict.fromkeys(("minItems", "minLength"), _FEWEST),
    "multipleOf": ("a number above 0", lambda value: _is_number(value) and value > 0),
    "properties": ("an object", lambda value: isinstance(value, Mapping)),
    "required": ("an array of strings", _are_texts),
    "type": (
        "a string or an array of strings",
        lambda value: isinstance(value, str) or _are_texts(value),
    ),
}


def _checked(schema: Any) -> Mapping[str, Any]:
    """Return a schema whose members can be read, without those that are null; a boolean one says nothing.

    Raises:
        UnusableSchemaError: A member has a wrong type.
    """
    if not isinstance(schema, Mapping):
        return {}
    for name, value in schema.items():
        if name in _MEMBERS and value is not None and not _MEMBERS[name][1](value):
            raise UnusableSchemaError(f"{value!r} is not {_MEMBERS[name][0]} - '{name}'")
    return {name: value for name, value in schema.items() if value is not None or name not in _MEMBERS}


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _choose(options: list[Any], *, deep: bool) -> Any:
    nothing = [one for one in options if isinstance(one, Mapping) and one.get("type") == "null"]
    something = [one for one in options if one not in nothing]
    return (nothing or something)[0] if deep else (something or nothing)[0]


def _merge(schemas: list[Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for schema in map(_checked, schemas):
        both: dict[str, Any] = {
            "properties": {**merged.get("properties", {}), **schema.get("properties", {})}
        }
        both["required"] = list(dict.fromkeys([*merged.get("required", []), *schema.get("required", [])]))
        merged = {**merged, **schema, **{key: value for key, value in both.items() if value}}
    return merged


def _bound(schema: Mapping[str, Any], closed: str, opened: str, step: float) -> float | None:
    if opened in schema and not isinstance(schema[opened], bool):
        return float(schema[opened]) + step
    return float(schema[closed]) if closed in schema else None


def _unlike(values: list[Any]) -> list[Any]:
    """Make equal texts and numbers differ, for `uniqueItems`; leave out what cannot be made to."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
        elif isinstance(value, str):
            found.append(f"{value} {len(found) + 1}")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(max(one for one in found if isinstance(one, (int, float))) + 1)
    return found
