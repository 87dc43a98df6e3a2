"""Laws that hold for the decoder's verdict on any bytes."""

import io
from collections.abc import Sequence

from crossfade.contract.decode import MAX_PLAY_BYTES, decode_play, decode_plays, encode_play
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS
from crossfade.contract.judge import judge_record
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason, Rejection
from crossfade.ingest.jsonl import read_jsonl
from crossfade.ingest.rows import EqualRows

LONGEST_DETAIL = 250
"""Maximum length of a detail in characters; it is shown on one line."""

ORDINARY = encode_play(
    Play(
        event_id="01JGE8Y4ZR0000000000000E01",
        user_id="u_123",
        song_id="s_9",
        title="Jóga",
        artist="Björk",
        event_time=EXAMPLE_LOG_TIME_MS - 60_000,
        schema_version=1,
    )
)
"""A record that takes the cheap path when it is judged together with others."""

ORDINARY_ASCII = ORDINARY.decode().encode("ascii", "ignore")
"""Another such record, whose text the decoder checks less closely."""


def check_record(value: bytes | None, log_time_ms: int | None = EXAMPLE_LOG_TIME_MS) -> None:
    """Judge a record: both decoding paths must agree, on a known verdict, also when repeated."""
    verdict = decode_play(value, log_time_ms)
    assert verdict == judge_record(value, log_time_ms)
    if isinstance(verdict, Rejection):
        assert verdict.reason in set(Reason)
        assert 0 < len(verdict.detail) < LONGEST_DETAIL
        return
    assert isinstance(verdict, Play)
    again = encode_play(verdict)
    if len(again) <= MAX_PLAY_BYTES:  # Some characters take more bytes in NFC.
        assert decode_play(again, log_time_ms) == verdict == judge_record(again, log_time_ms)


def check_together(values: Sequence[bytes | None], log_times_ms: Sequence[int | None]) -> None:
    """Judge records together; each must get the same verdict as when it is judged separately."""
    separately = list(map(decode_play, values, log_times_ms))
    assert decode_plays(values, log_times_ms) == separately


def check_lines(file: bytes) -> None:
    """Read bytes as a file of plays; readers must accept what an importer accepts and sends."""

    def judge(value: bytes) -> Play | Rejection:
        return decode_play(value, EXAMPLE_LOG_TIME_MS)

    for row in read_jsonl(io.BytesIO(file), judge, equal_rows=EqualRows()):
        if isinstance(row.verdict, Rejection):
            assert isinstance(judge(row.value), Rejection)
        else:
            assert judge(row.value) == row.verdict
