"""The format JSON lines: each line is a record as the contract defines it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from crossfade.contract.decode import MAX_PLAY_BYTES
from crossfade.contract.identities import derive_event_id, derive_song_id
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.rows import Judge, Row

SOURCE = "jsonl"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_PLACEHOLDER = msgspec.Raw(b'"to-be-derived"')
_read_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_jsonl(file: BinaryIO, judge: Judge) -> Iterator[Row]:
    """Yield a row for each line that is not blank; its bytes are the record to send.

    A line without `event_id` or `song_id` gets derived ids. Equal lines are numbered, so each of
    them is a separate play, and importing the file again results in the same ids.
    """
    seen: Counter[tuple[Any, ...]] = Counter()
    for line, text in _read_lines(file):
        verdict = judge(text)
        if isinstance(verdict, Rejection) and verdict.reason is Reason.MISSING_FIELD:
            text, verdict = _add_derived_ids(text, judge, seen)
        yield Row(line, text, verdict)


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


def _add_derived_ids(
    text: bytes, judge: Judge, seen: Counter[tuple[Any, ...]]
) -> tuple[bytes, Play | Rejection]:
    """Add the ids that a line does not have, if all its other fields are valid."""
    fields = _read_object(text)
    missing = [
        name for name in ("event_id", "song_id") if bytes(fields.get(name, b"null")) == b"null"
    ]
    trial = judge(msgspec.json.encode(fields | dict.fromkeys(missing, _PLACEHOLDER)))
    if isinstance(trial, Rejection):
        return text, trial
    if "song_id" in missing:
        fields["song_id"] = _raw(derive_song_id(trial.artist, trial.title))
    song_id = msgspec.json.decode(fields["song_id"], type=str)
    if "event_id" in missing:
        source = trial.source or SOURCE
        equal = (source, trial.user_id, trial.event_time, song_id, trial.ms_played)
        fields["event_id"] = _raw(
            derive_event_id(
                source,
                trial.user_id,
                event_time=trial.event_time,
                song_id=song_id,
                ms_played=trial.ms_played,
                ordinal=seen[equal],
            )
        )
        seen[equal] += 1
    completed = msgspec.json.encode(fields)
    return completed, judge(completed)


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))
