"""Records of what comes from outside: configurations, training facts, results, settings, each a pydantic model.

`Record.read` gives the record or raises RecordError, whose Message names the field in the reader's language. `check`
is for what has no fixed fields: text, numbers and nesting that can be sent as JSON, stored, and shown as they are.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from zoo.text import Message

LARGEST_WHOLE = 2**63 - 1  # what other languages' JSON readers, SQL and NumPy hold
DEEPEST = 12
LONGEST_TEXT = 20_000
MOST_VALUES = 200_000
# Control characters, half characters that are no Unicode, and those that turn the direction of what follows: they
# make a text look like another one.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONTROLS_OF_LINES = re.compile(_CONTROLS.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
_NAMELESS = ("record_line", "record_sha256")  # Messages that the name of the field goes before
_KINDS = {"string": "str", "model": "dict", "float": "a number"} | dict.fromkeys(("int", "bool", "dict", "list"))


class RecordError(ValueError):
    """What is wrong with a record: a Message that names the field."""


def is_plain(text: str, *, longest: int = 200, markup: bool = False) -> bool:
    """Whether a stranger's text may be shown: short, no control characters, and no '<' or '>' unless `markup`."""
    return len(text) <= longest and not _CONTROLS.search(text) and (markup or not re.search("[<>]", text))


def check(value: object, name: str, *, longest: int = LONGEST_TEXT, lines: bool = True) -> None:
    """Raise RecordError naming the first part of a JSON value that cannot be sent, stored and shown as it is.

    Refused: numbers that are not finite or wider than 64 bits, texts that are longer than `longest` or hold control
    characters (`lines` lets line breaks and tabs through), more than `DEEPEST` levels or `MOST_VALUES` values, and
    what JSON does not have.
    """
    controls, left = _CONTROLS_OF_LINES if lines else _CONTROLS, MOST_VALUES
    waiting = [(value, name, 0)]
    while waiting:
        value, name, depth = waiting.pop()
        left -= 1
        if depth > DEEPEST or left < 0:
            raise RecordError(Message("record_large", field=name, depth=DEEPEST, values=MOST_VALUES))
        if isinstance(value, dict):
            for key, inner in value.items():
                _check_text(key, name, longest, controls)
                waiting.append((inner, f"{name}.{key}"[:100] if name else key[:100], depth + 1))
        elif isinstance(value, list):
            waiting += [(inner, name, depth + 1) for inner in value]
        elif isinstance(value, str):
            _check_text(value, name, longest, controls)
        elif isinstance(value, int | float):
            _check_number(value, name)
        elif value is not None:
            raise RecordError(Message("record_no_json", field=name, found=type(value).__name__))


def _check_text(text: object, name: str, longest: int, controls: re.Pattern) -> None:
    if not isinstance(text, str):
        raise RecordError(Message("record_no_json", field=name, found=type(text).__name__))
    if len(text) > longest or controls.search(text):
        raise RecordError(Message("record_text", field=name, longest=longest))


def _check_number(value: float, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise RecordError(Message("record_not_finite", field=name))
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise RecordError(Message("record_wide", field=name))


class Record(BaseModel):
    """Base of the records: no value is converted, no field assigned, unknown fields are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", protected_namespaces=())

    @classmethod
    def read(cls, value: object, place: str = "") -> Self:
        """The record of a JSON value at `place`; raises RecordError naming the first field that is missing or wrong."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise RecordError(_explained(error.errors(include_url=False)[0], place)) from None


def _explained(error: dict[str, Any], place: str) -> Message:
    """The Message for one of pydantic's errors; one that a validator of ours raised is passed on."""
    field = _place((place, *error["loc"]) if place else error["loc"])
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, ValueError) and cause.args and isinstance(cause.args[0], Message):
        message = cause.args[0]
        return Message("checkpoint_at", place=field, reason=message) if message.key in _NAMELESS else message
    kind = error["type"]
    if kind == "missing":
        return Message("checkpoint_missing", field=field)
    name = kind.removesuffix("_type")
    if name != kind and name in _KINDS:
        if not field:
            return Message("checkpoint_object")
        wanted, found = _KINDS[name] or name, type(error["input"]).__name__
        return Message("checkpoint_type", field=field, kind=wanted, found=found)
    return Message("record_other", field=field, reason=str(error["msg"])[:300])


def _place(parts: tuple) -> str:
    """'cost.timings[0].kind' from pydantic's location of an error."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts if part != "[key]")
    return text.removeprefix(".")[:200]


def says(key: str, test: Callable[[Any], bool], **values) -> AfterValidator:
    """A validator that refuses what does not pass `test`, with the Message `key`."""

    def validate(value):
        if not test(value):
            raise ValueError(Message(key, **values))
        return value

    return AfterValidator(validate)


def facts(name: str, **options) -> AfterValidator:
    """A validator for an object without fixed fields: `check` under this name."""

    def validate(value: dict) -> dict:
        check(value, name, **options)
        return value

    return AfterValidator(validate)


Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
Whole = Annotated[int, Field(ge=0, le=LARGEST_WHOLE)]
Fraction = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Line = Annotated[str, says("record_line", lambda text: is_plain(text, markup=True), longest=200)]
