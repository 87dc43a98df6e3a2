"""The format JSON lines: each line is a record as the contract defines it."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from crossfade.contract.decode import MAX_PLAY_BYTES
from crossfade.contract.identities import (
    derive_event_id,
    derive_event_id_from,
    derive_song_id,
    derive_song_id_of,
)
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.contract.rules import RULES, BrokenRuleError
from crossfade.ingest.rows import EqualRows, Judge, Row

SOURCE = "jsonl"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_TO_DERIVE = (Reason.MISSING_FIELD, Reason.EVENT_ID_INVALID)
_PLACEHOLDER = msgspec.Raw(b'"to-be-derived"')
_IDS = ("event_id", "song_id")
_EVENT_ID = next(rule for rule in RULES if rule.name == "event_id")
_Fields = dict[str, msgspec.Raw]
_read_object = msgspec.json.Decoder(_Fields).decode


def read_jsonl(
    file: BinaryIO, judge: Judge, *, equal_rows: EqualRows, song_ids_of: str = ""
) -> Iterator[Row]:
    """Yield a row for each line that is not blank; its value is the record to send.

    A line without `event_id` or `song_id` gets derived ids. Equal lines are numbered, so each of
    them is a separate play, and importing the file again results in the same ids. A line with an
    invalid `event_id` gets one derived from it.

    Args:
        file: the uncompressed lines.
        judge: the decoder to apply to each line.
        equal_rows: numbers equal lines without `event_id`, over all files of the export.
        song_ids_of: the source whose name becomes part of each `song_id`; empty: none.
    """
    equal_rows.begin_file()
    ids = _Ids(judge, equal_rows, song_ids_of)
    for line, text in _read_lines(file):
        value, verdict = text, judge(text)
        if isinstance(verdict, Rejection):
            if verdict.reason in _TO_DERIVE:
                value, verdict = ids.complete(text)
        elif song_ids_of:
            value, verdict = ids.rename_song(text, verdict)
        yield Row(line, value, verdict, text)


def _read_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers; cut one that is too long."""
    number = 0
    while text := file.readline(MAX_PLAY_BYTES + 2):
        number += 1
        rest = text
        while len(rest) > MAX_PLAY_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_PLAY_BYTES + 2)
        if rest is not text:  # Not stripped: what is left of it might look like a play.
            yield number, text
            continue
        if number == 1:
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if text := text.strip(_SPACE):
            yield number, text


class _Ids(NamedTuple):
    """Adds the ids that lines do not have, or that are not valid or not unique."""

    judge: Judge
    equal_rows: EqualRows
    song_ids_of: str

    def complete(self, text: bytes) -> tuple[bytes, Play | Rejection]:
        """Add the ids that a line does not have, if all its other fields are valid."""
        fields = _read_object(text)
        given = _read_invalid_event_id(fields)
        lacking = {name for name in _IDS if bytes(fields.get(name, b"null")) == b"null"}
        if given is not None:
            lacking.add("event_id")
        trial = self.judge(msgspec.json.encode(fields | dict.fromkeys(lacking, _PLACEHOLDER)))
        if isinstance(trial, Rejection):
            return text, trial
        source = trial.source or SOURCE
        if "song_id" in lacking:
            fields["song_id"] = _raw(derive_song_id(trial.artist, trial.title))
        elif self.song_ids_of:
            fields["song_id"] = _raw(derive_song_id_of(self.song_ids_of, trial.song_id))
        if given:
            fields["event_id"] = _raw(derive_event_id_from(source, trial.user_id, given))
            if trial.source_play_id is None:
                fields = self._keep_given_id(fields, given)
        elif "event_id" in lacking:
            fields["event_id"] = _raw(self._derive_event_id(fields, trial, source))
        return self._judge_fields(fields)

    def rename_song(self, text: bytes, play: Play) -> tuple[bytes, Play | Rejection]:
        """Make the source a part of the song's id."""
        song_id = derive_song_id_of(self.song_ids_of, play.song_id)
        return self._judge_fields(_read_object(text) | {"song_id": _raw(song_id)})

    def _derive_event_id(self, fields: _Fields, play: Play, source: str) -> str:
        song_id = msgspec.json.decode(fields["song_id"], type=str)
        equal = (source, play.user_id, play.event_time, song_id, play.ms_played)
        return derive_event_id(
            source,
            play.user_id,
            event_time=play.event_time,
            song_id=song_id,
            ms_played=play.ms_played,
            ordinal=self.equal_rows.number(equal, play.event_time),
        )

    def _keep_given_id(self, fields: _Fields, given: str) -> _Fields:
        """Add the source's own id as `source_play_id`, if it is valid as one."""
        more = fields | {"source_play_id": _raw(given)}
        _, verdict = self._judge_fields(more)
        return more if getattr(verdict, "source_play_id", None) == given else fields

    def _judge_fields(self, fields: _Fields) -> tuple[bytes, Play | Rejection]:
        value = msgspec.json.encode(fields)
        return value, self.judge(value)


def _read_invalid_event_id(fields: _Fields) -> str | None:
    """Return an `event_id` that is a text but breaks the rule; empty if it is only blanks."""
    try:
        _EVENT_ID.judge(fields.get("event_id"))
    except BrokenRuleError as broken:
        if broken.rejection.reason is Reason.EVENT_ID_INVALID:
            given = msgspec.json.decode(fields["event_id"], type=str)
            return given if given.strip() else ""
    return None


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))
