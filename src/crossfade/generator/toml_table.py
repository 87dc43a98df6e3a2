"""TOML files whose tables are read as dataclasses; each error is one line with the cure."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec
from msgspec import Meta

from crossfade.clock import DAY_MS, format_duration, parse_duration
from crossfade.errors import MisuseError, suggest_known

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_LENGTH_MS = 3_650 * DAY_MS
"""A longer duration is a mistake, and ten years before now are still after March 1973."""

_MAX_SHOWN = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}").fullmatch
_IS_DURATION = {"is_duration": True}

Row = TypeVar("Row", bound="DataclassInstance")


def duration(at_least: int = 0) -> Meta:
    """Return the rule for a duration: text such as "90s" in the file, milliseconds in the field."""
    cure = f'Give a length of time such as "90s", "10m" or "2h"{_limits(at_least)}.'
    return Meta(ge=at_least, le=MAX_LENGTH_MS, description=cure, extra=_IS_DURATION)


def duration_range(at_least: int = 0) -> Meta:
    """Return the rule for a pair of durations, the shorter one first."""
    pair = (
        f'Give two lengths of time such as ["31m", "3d"], the shorter one first{_limits(at_least)}.'
    )
    return Meta(description=pair, extra=_IS_DURATION)


def parse_toml(content: bytes, file: str) -> Mapping[str, object]:
    """Parse a TOML document.

    Raises:
        MisuseError: it is not TOML; the message has the line.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"{file} line {line} is not UTF-8."
        raise MisuseError(what, "Save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        what = f"{file} is not TOML: {error}."
        raise MisuseError(what, "Correct it there.") from None


class TomlTable:
    """One table of a file, and its place in the file for error messages."""

    def __init__(self, values: Mapping[str, object], *, file: str, place: str = "") -> None:
        self.values = values
        self._file, self._place = file, place

    def error(self, problem: str, cure: str) -> MisuseError:
        """Return an error about this table."""
        return MisuseError(f"{f'{self._file}: {self._place}'.rstrip()} {problem}", cure)

    def wrong(self, key: str, cure: str) -> MisuseError:
        """Return an error about one key, with its value."""
        if key in self.values:
            return self.error(f"{key} is {_show(self.values[key])}.", cure)
        return self.error(f"has no {key}.", cure)

    def check_keys(self, known: Iterable[str]) -> None:
        """Check that every key is known.

        Raises:
            MisuseError: one is not; the cure is the nearest known key.
        """
        for key in self.values:
            if key not in known:
                shown = " ".join(filter(None, [self._place, _show_key(key)]))
                what = f"{self._file}: unknown key {shown}."
                raise MisuseError(what, suggest_known(key, known, "keys"))

    def table(self, key: str) -> "TomlTable":
        """Return the table `[key]`, empty where it is absent."""
        values = self.values.get(key, {})
        if not isinstance(values, dict):
            raise self.wrong(key, f"Write it as a table: [{key}] on a line of its own.")
        return TomlTable(values, file=self._file, place=f"[{key}]")

    def tables(self, key: str) -> "list[TomlTable]":
        """Return every table `[[key]]` in order; where there are several, number them from 1."""
        several = self.values.get(key, [])
        if not isinstance(several, list) or not all(isinstance(one, dict) for one in several):
            raise self.wrong(key, f"Write each one below a line with [[{key}]], in two brackets.")
        numbers = [f" {number}" for number in range(1, len(several) + 1)]
        return [
            TomlTable(one, file=self._file, place=f"[[{key}]]{number if len(several) > 1 else ''}")
            for one, number in zip(several, numbers, strict=True)
        ]

    def read(self, kind: type[Row]) -> Row:
        """Read the table as a dataclass.

        A key is a field's name without the suffix `_ms`. msgspec checks each value against the
        field's type; its own messages lack the value and the cure, so they are not used.

        Raises:
            MisuseError: a key is unknown, missing, or has a wrong value. The cure is the
                description in the field's `Meta`, or the nearest member of its enumeration.
        """
        by_key = {field.name.removesuffix("_ms"): field for field in fields(kind)}
        self.check_keys(by_key)
        given = {}
        for key, field in by_key.items():
            if key in self.values:
                given[field.name] = self._convert(key, field.type)
            elif field.default is MISSING:
                raise self.wrong(key, _cure(field.type))
        return kind(**given)

    def _convert(self, key: str, hint: Any) -> object:
        written = self.values[key]
        try:
            is_duration = _meta_of(hint).extra == _IS_DURATION
            value = msgspec.convert(_to_ms(written) if is_duration else written, hint)
        except (msgspec.ValidationError, OverflowError):
            raise self.wrong(key, _cure(hint, written)) from None
        if isinstance(value, tuple) and value[0] > value[1]:
            raise self.wrong(key, _cure(hint))
        return value


def _meta_of(hint: Any) -> Meta:
    """Return the rule of a type, also where the type may be None as well."""
    rules = (rule for one in (hint, *get_args(hint)) for rule in getattr(one, "__metadata__", ()))
    return next(rules, Meta())


def _cure(hint: Any, written: object = None) -> str:
    if not (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return _meta_of(hint).description or ""
    words = [str(member) for member in hint]
    if isinstance(written, str):
        return suggest_known(written, words, "ones")
    return f"Give one of {', '.join(words)}."


def _to_ms(written: object) -> object:
    """Return the milliseconds of a duration, or of each of a list; None where it is not one."""
    if isinstance(written, list):
        return [_to_ms(one) for one in written]
    try:
        return parse_duration(written) if isinstance(written, str) else None
    except (MisuseError, OverflowError):
        return None


def _limits(at_least: int) -> str:
    """Return the limits of a duration; a lower limit of 0 is left out."""
    least = f" of at least {format_duration(at_least)}" if at_least > 0 else ""
    return f",{least} and at most {format_duration(MAX_LENGTH_MS)}"


def _show(value: object) -> str:
    """Return a value on one line, much as it is written in the file."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}\N{HORIZONTAL ELLIPSIS}"


def _show_key(key: str) -> str:
    return key if _BARE_KEY(key) else _show(key)
