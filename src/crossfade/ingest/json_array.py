"""Incremental reader of a JSON array: yields each element with its line number."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from crossfade.ingest.rows import BrokenFileError

_CHUNK = 256 * 1024
_MAX_ELEMENT = 1024 * 1024
"""The maximum length of an element in characters; a file with a longer one is broken."""

_SPACE = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


class Element(NamedTuple):
    """An element of an array: the line on which it begins, its value, and its bytes."""

    line: int
    value: Any
    original: bytes


def read_elements(file: BinaryIO) -> Iterator[Element]:
    """Yield each element.

    Bytes that are not UTF-8 become lone surrogates, so only the element that contains them is
    rejected.

    Raises:
        BrokenFileError: the file is not one valid JSON array; the elements before the error were
            yielded.
    """
    text = _JsonText(file)
    text.take("[", 'a JSON array, so "["')
    if text.peek() == "]":
        text.take("]", "")
    else:
        yield text.take_element()
        while text.peek() == ",":
            text.take(",", "")
            text.peek()
            yield text.take_element()
        text.take("]", '"," or "]" after an element')
    if text.peek():
        raise BrokenFileError(text.line, "the end of the file after the array")


class _JsonText:
    """The part of a file that is in memory, with the current position in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._text = ""
        self._at = 0
        self._is_all = False
        self.line = 1

    def peek(self) -> str:
        """Skip white space and return the next character; empty at the end of the file."""
        while True:
            self._move(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def take(self, character: str, expected: str) -> None:
        """Skip one character; raise `BrokenFileError` if another one comes next."""
        if self.peek() != character:
            raise BrokenFileError(self.line, expected)
        self._at += 1

    def take_element(self) -> Element:
        """Parse one value, reading more of the file until the value is complete."""
        while True:
            try:
                value, end = _scan(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at < _MAX_ELEMENT and self._read_on():
                    continue
                raise self._broken(error) from None
            if end < len(self._text) or not self._read_on():
                original = self._text[self._at : end].encode("utf-8", "surrogateescape")
                element = Element(self.line, value, original)
                self._move(end)
                return element

    def _broken(self, error: Exception) -> BrokenFileError:
        if not isinstance(error, json.JSONDecodeError):
            return BrokenFileError(self.line, "an object of plain values")
        line = self.line + self._text.count("\n", self._at, error.pos)
        return BrokenFileError(
            line, f"well-formed JSON ({error.msg.removesuffix(' starting at').lower()})"
        )

    def _move(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _read_on(self) -> bool:
        if self._is_all:
            return False
        chunk = self._file.read(_CHUNK)
        self._is_all = not chunk
        self._text = self._text[self._at :] + self._decode(chunk, self._is_all)
        self._at = 0
        return True
