"""A TOML file whose every mistake is one line: file, table, key, and what is expected there."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeGuard, TypeVar

from crossfade.clock import DAY_MS, format_duration, parse_duration
from crossfade.contract.countries import COUNTRIES, UNKNOWN_COUNTRY
from crossfade.contract.text import has_control
from crossfade.errors import MisuseError, suggest_known

MAX_LENGTH_MS = 3_650 * DAY_MS
"""A greater length of time is a mistake, and ten years back are still after March 1973."""

_MAX_SHOWN = 60
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}").fullmatch

Choice = TypeVar("Choice", bound=StrEnum)


def parse_toml(content: bytes, file: str) -> Mapping[str, object]:
    """Read a TOML document.

    Raises:
        MisuseError: it is none; with the line where that shows.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"{file} line {line} is not UTF-8."
        raise MisuseError(what, "Save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        what = f"{file} is no TOML: {error}."
        raise MisuseError(what, "Correct it there.") from None


class Table:
    """One table of a file: gives its keys as what they mean, or says what they must be."""

    def __init__(
        self, fields: Mapping[str, object], known: Sequence[str], *, file: str, place: str = ""
    ) -> None:
        self.place = f"{file}: {place}".rstrip()
        self._file = file
        self._fields = fields
        for key in fields:
            if key not in known:
                shown = " ".join(filter(None, [place, _show_key(key)]))
                what = f"{file}: unknown key {shown}."
                raise MisuseError(what, suggest_known(key, known, "keys"))

    def __contains__(self, key: str) -> bool:
        """Check whether the key is given."""
        return key in self._fields

    def wrong(self, key: str, expected: str) -> MisuseError:
        """Return the error that shows what the key is, and says what it must be."""
        if key in self._fields:
            return MisuseError(f"{self.place} {key} is {_show(self._fields[key])}.", expected)
        return MisuseError(f"{self.place} has no {key}.", expected)

    def table(self, key: str, known: Sequence[str]) -> "Table":
        """Return the table `[key]`, empty where it is absent."""
        fields = self._fields.get(key, {})
        if not isinstance(fields, dict):
            raise self.wrong(key, f"Write it as a table: [{key}] on a line of its own.")
        return Table(fields, known, file=self._file, place=f"[{key}]")

    def tables(self, key: str, known: Sequence[str]) -> "list[Table]":
        """Return every table `[[key]]` in order; they are numbered from 1 where there are several."""
        several = self._fields.get(key, [])
        if not isinstance(several, list) or not all(isinstance(one, dict) for one in several):
            raise self.wrong(key, f"Write each one below a line with [[{key}]], in two brackets.")
        places = [f"[[{key}]] {number}" for number in range(1, len(several) + 1)]
        if len(several) == 1:
            places = [f"[[{key}]]"]
        return [
            Table(fields, known, file=self._file, place=place)
            for fields, place in zip(several, places, strict=True)
        ]

    def text(self, key: str, default: str) -> str:
        """Return a text of one line."""
        text = self._fields.get(key, default)
        if not isinstance(text, str) or has_control(text):
            raise self.wrong(key, "Give a text of one line in quotation marks.")
        return text

    def number(
        self, key: str, default: float | None = None, *, above: float, at_most: float
    ) -> float:
        """Return a number of plays and the like."""
        number = self._fields.get(key, default)
        if not _is_number(number) or not above < number <= at_most:
            raise self.wrong(key, f"Give a number above {above:g}, at most {at_most:g}.")
        return float(number)

    def integer(self, key: str, *, at_least: int, at_most: int) -> int:
        """Return a whole number."""
        number = self._fields.get(key)
        if type(number) is not int or not at_least <= number <= at_most:
            raise self.wrong(key, f"Give a whole number from {at_least} to {at_most}.")
        return number

    def share(self, key: str, default: float | None = None) -> float:
        """Return a share, from 0 to 1."""
        share = self._fields.get(key, default)
        if not _is_number(share) or not 0 <= share <= 1:
            raise self.wrong(key, "Give a share of plays: a number from 0 to 1.")
        return float(share)

    def length(self, key: str, default: int | None = None, *, at_least: int = 0) -> int:
        """Return a length of time in milliseconds."""
        if key not in self._fields and default is not None:
            return default
        length = _parse_length(self._fields.get(key))
        if length is None or not at_least <= length <= MAX_LENGTH_MS:
            limits = _limits(at_least)
            raise self.wrong(key, f'Give a length of time such as "90s", "10m" or "2h"{limits}.')
        return length

    def range(self, key: str, default: tuple[int, int], *, at_least: int = 0) -> tuple[int, int]:
        """Return two lengths of time in milliseconds, between which a draw lies."""
        if key not in self._fields:
            return default
        ends = self._fields[key]
        lengths = [_parse_length(end) for end in ends] if isinstance(ends, list) else []
        known = [length for length in lengths if length is not None]
        if len(lengths) == len(known) == 2 and at_least <= known[0] <= known[1] <= MAX_LENGTH_MS:
            return known[0], known[1]
        limits = _limits(at_least)
        cure = f'Give two lengths of time such as ["31m", "3d"], the shorter one first{limits}.'
        raise self.wrong(key, cure)

    def country(self, key: str) -> str:
        """Return the code of a country in which there may be listeners."""
        country = self._fields.get(key)
        if not isinstance(country, str) or country not in COUNTRIES - {UNKNOWN_COUNTRY}:
            cure = 'Give an ISO 3166-1 alpha-2 code in upper case, such as "BR" or "GB".'
            raise self.wrong(key, cure)
        return country

    def choice(self, key: str, choices: type[Choice], default: Choice | None = None) -> Choice:
        """Return one of a few words."""
        word = self._fields.get(key, default)
        if isinstance(word, str) and word in list(choices):
            return choices(word)
        words = [str(choice) for choice in choices]
        near = suggest_known(word, words, "ones") if isinstance(word, str) else ""
        raise self.wrong(key, near or f"Give one of {', '.join(words)}.")


def _is_number(number: object) -> TypeGuard[int | float]:
    return isinstance(number, int | float) and not isinstance(number, bool)


def _parse_length(text: object) -> int | None:
    if not isinstance(text, str):
        return None
    try:
        return parse_duration(text)
    except (MisuseError, OverflowError):
        return None


def _limits(at_least: int) -> str:
    """Name the lower limit where there is one; the upper one is for mistakes of the keyboard."""
    least = f" of at least {format_duration(at_least)}" if at_least > 0 else ""
    return f",{least} and at most {format_duration(MAX_LENGTH_MS)}"


def _show(value: object) -> str:
    """Write a value on one line, much as it stands in the file."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}\N{HORIZONTAL ELLIPSIS}"


def _show_key(key: str) -> str:
    return key if _BARE_KEY(key) else _show(key)
