"""The decoder on generated input, and the rules of a decoded play."""

import json
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.clock import MINUTE_MS
from crossfade.contract.decode import (
    MAX_PLAY_BYTES,
    Rejection,
    decode_play,
    decode_plays,
    encode_play,
)
from crossfade.contract.examples import EXAMPLE_LOG_TIME_MS, read_examples
from crossfade.contract.examples.generated import generate_examples
from crossfade.contract.judge import judge_record
from crossfade.contract.play import Play
from crossfade.contract.reasons import Reason
from crossfade.contract.rules import RULES
from fuzz.hostile_records import HOSTILE_RECORDS
from fuzz.verdict_laws import check_record, check_together

BASE = {
    "schema_version": 1,
    "event_id": "01JGE8Y4ZR0000000000000E01",
    "user_id": "u_123",
    "song_id": "s_9",
    "title": "Jóga",
    "artist": "Björk",
    "event_time": EXAMPLE_LOG_TIME_MS - 60_000,
    "ms_played": 183_000,
    "country": "IS",
    "device": "mobile",
}
PLAIN = json.dumps(BASE, ensure_ascii=False).encode()
EXAMPLES = (*read_examples(), *generate_examples())
SEEDS = [example.value for example in EXAMPLES if example.value is not None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def decode(play: object) -> Play | Rejection:
    return decode_play(json.dumps(play).encode(), EXAMPLE_LOG_TIME_MS)


def reason_of(value: bytes | None, log_time_ms: int | None = EXAMPLE_LOG_TIME_MS) -> Reason | None:
    verdict = decode_play(value, log_time_ms)
    return verdict.reason if isinstance(verdict, Rejection) else None


@given(st.none() | st.binary(), st.none() | st.integers())
def test_no_bytes_raise(value: bytes | None, log_time_ms: int | None) -> None:
    assert isinstance(decode_play(value, log_time_ms), Play | Rejection)


@given(JSON)
def test_no_json_raises(value: object) -> None:
    assert isinstance(decode(value), Play | Rejection)


@settings(max_examples=500)
@given(st.sampled_from([rule.name for rule in RULES]), JSON)
def test_no_value_of_any_field_raises_and_both_paths_agree(name: str, value: object) -> None:
    for ensure_ascii in (True, False):
        record = json.dumps({**BASE, name: value}, ensure_ascii=ensure_ascii)
        verdict = decode_play(record.encode(errors="surrogatepass"), EXAMPLE_LOG_TIME_MS)
        judged = judge_record(record.encode(errors="surrogatepass"), EXAMPLE_LOG_TIME_MS)
        assert verdict == judged


@settings(max_examples=500)
@given(st.sampled_from(SEEDS), st.integers(0, 400), st.integers(0, 400), st.binary(max_size=4))
def test_both_paths_agree_on_damaged_records(
    seed: bytes, cut: int, resume: int, between: bytes
) -> None:
    check_record(seed[:cut] + between + seed[resume:])


SMALL_SEEDS = [seed for seed in SEEDS if len(seed) < 2_000]
RECORDS = st.one_of(
    st.sampled_from(SMALL_SEEDS),
    HOSTILE_RECORDS,
    st.none(),
    st.builds(
        lambda name, value, ascii_only: json.dumps(
            {**BASE, name: value}, ensure_ascii=ascii_only
        ).encode(errors="surrogatepass"),
        st.sampled_from([rule.name for rule in RULES]),
        JSON,
        st.booleans(),
    ),
    st.builds(
        lambda seed, cut, resume: seed[:cut] + seed[resume:],
        st.sampled_from(SMALL_SEEDS),
        st.integers(0, 400),
        st.integers(0, 400),
    ),
)
LOG_TIMES = st.sampled_from([EXAMPLE_LOG_TIME_MS, EXAMPLE_LOG_TIME_MS - 10 * MINUTE_MS, None])


@settings(max_examples=500)
@given(
    st.integers(0, 3),
    st.lists(st.tuples(RECORDS, LOG_TIMES), max_size=2),
    st.sampled_from(SMALL_SEEDS),
)
def test_many_records_are_judged_as_one_by_one(
    ordinary: int, others: list[tuple[bytes | None, int | None]], seed: bytes
) -> None:
    together = [(PLAIN, EXAMPLE_LOG_TIME_MS)] * ordinary + others + [(seed, EXAMPLE_LOG_TIME_MS)]
    values, log_times = zip(*together, strict=True)
    check_together(values, log_times)


def test_every_example_is_found_among_ordinary_records() -> None:
    for seed in SEEDS:
        check_together([PLAIN, seed, PLAIN], [EXAMPLE_LOG_TIME_MS] * 3)


def test_a_batch_of_ordinary_records_takes_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("crossfade.contract.decode.decode_play")
    others = [
        {**BASE, "event_id": f"event-{number:04}", "title": title, "device": "car"}
        for number, title in enumerate(("Jóga", "Ænima", "四季"))
    ]
    values = [PLAIN, *(json.dumps(play, ensure_ascii=False).encode() for play in others)]
    verdicts = decode_plays(values, [EXAMPLE_LOG_TIME_MS] * len(values))
    assert [type(verdict) for verdict in verdicts] == [Play] * len(values)


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40))
def test_a_play_is_the_same_however_it_was_escaped(title: str, artist: str) -> None:
    play = {**BASE, "title": title, "artist": artist}
    every_escape = "".join(
        f"\\u{unit:04x}"
        for unit in memoryview(title.encode("utf-16-le", "surrogatepass")).cast("H")
    )
    plain = json.dumps({**play, "title": "TITLE"}, ensure_ascii=False).encode(errors="replace")
    verdicts = [
        decode_play(json.dumps(play).encode(), EXAMPLE_LOG_TIME_MS),
        decode_play(json.dumps(play, indent=1, sort_keys=True).encode(), EXAMPLE_LOG_TIME_MS),
        decode_play(plain.replace(b"TITLE", every_escape.encode()), EXAMPLE_LOG_TIME_MS),
        decode_play(msgspec.json.encode(play), EXAMPLE_LOG_TIME_MS),
    ]
    assert all(verdict == verdicts[0] for verdict in verdicts)


def test_composed_and_decomposed_text_is_the_same_text() -> None:
    composed, decomposed = (
        decode(BASE),
        decode({**BASE, "title": "Jo\u0301ga", "artist": "Bjo\u0308rk"}),
    )
    assert composed == decomposed
    assert isinstance(composed, Play)
    assert composed.title == "Jóga"


def test_an_unknown_device_becomes_other() -> None:
    play = decode({**BASE, "device": "toaster"})
    assert isinstance(play, Play)
    assert play.device == "other"


@pytest.mark.parametrize("absent", [{"country": None}, {"country": ""}, {}])
def test_an_absent_country_is_zz(absent: dict[str, object]) -> None:
    play = decode({name: value for name, value in BASE.items() if name != "country"} | absent)
    assert isinstance(play, Play)
    assert play.country == "ZZ"


def test_of_duplicate_keys_the_last_counts() -> None:
    play = decode_play(json.dumps(BASE).encode()[:-1] + b',"ms_played":7}', EXAMPLE_LOG_TIME_MS)
    assert isinstance(play, Play)
    assert play.ms_played == 7


def test_a_record_without_a_value_is_not_an_object() -> None:
    assert reason_of(None) is Reason.NOT_OBJECT


def test_a_record_without_log_time_is_rejected_whatever_it_holds() -> None:
    assert reason_of(json.dumps(BASE).encode(), None) is Reason.LOG_TIME_UNKNOWN
    assert reason_of(None, None) is Reason.LOG_TIME_UNKNOWN


def test_64_kib_are_accepted_and_one_byte_more_is_not() -> None:
    fits, too_large = PLAIN.ljust(MAX_PLAY_BYTES), PLAIN.ljust(MAX_PLAY_BYTES + 1)
    assert [reason_of(fits), reason_of(too_large)] == [None, Reason.EVENT_TOO_LARGE]
    assert reason_of(b"x" * 2_000_000) is Reason.EVENT_TOO_LARGE
    verdicts = decode_plays([fits, too_large], [EXAMPLE_LOG_TIME_MS] * 2)
    assert [type(verdict) for verdict in verdicts] == [Play, Rejection]


def test_depth_is_judged_alike_however_deep_the_caller_is() -> None:
    record = json.dumps({**BASE, "x": 1}).encode()[:-2] + b"[" * 7 + b"]" * 7 + b"}"

    def call_from(depth: int) -> Play | Rejection:
        return call_from(depth - 1) if depth else decode_play(record, EXAMPLE_LOG_TIME_MS)

    assert call_from(0) == call_from(sys.getrecursionlimit() // 2) == decode(BASE)


@pytest.mark.parametrize("ahead, is_accepted", [(300_000, True), (300_001, False)])
def test_five_minutes_ahead_of_log_time_are_accepted(ahead: int, is_accepted: bool) -> None:
    record = json.dumps({**BASE, "event_time": EXAMPLE_LOG_TIME_MS + ahead}).encode()
    assert isinstance(decode_play(record, EXAMPLE_LOG_TIME_MS), Play) is is_accepted


@pytest.mark.parametrize(
    "changes, is_counted",
    [
        ({"ms_played": 30_000}, True),
        ({"ms_played": 29_999}, False),
        ({"ms_played": None}, True),
        ({"kind": "episode"}, False),
        ({"kind": "video", "ms_played": None}, False),
    ],
)
def test_a_track_counts_from_thirty_seconds_or_unknown_length(
    changes: dict[str, object], is_counted: bool
) -> None:
    play = decode({**BASE, **changes})
    assert isinstance(play, Play)
    assert play.is_counted is is_counted


def test_a_plays_identity_is_listener_event_and_utc_day() -> None:
    play = decode(BASE)
    assert isinstance(play, Play)
    assert play.identity == ("u_123", "01JGE8Y4ZR0000000000000E01", 20_454)


def test_a_written_play_leaves_out_what_is_absent() -> None:
    play = decode({name: BASE[name] for name in BASE if name not in ("ms_played", "country")})
    assert isinstance(play, Play)
    assert b"null" not in encode_play(play)
    assert b"country" not in encode_play(play)
