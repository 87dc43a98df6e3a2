"""Start cases: records that Crossfade's clients never send, written directly to Kafka."""

import json

import pyarrow.parquet as pq

from crossfade.clock import now_ms
from crossfade.contract.examples import read_examples
from faults.case import Case, Outcome
from faults.case_checks import check_healed, require
from faults.damage_kafka import send
from faults.lake_snapshot import live_files, newest_run
from faults.oracle_kafka import SONG_PLAYS
from faults.template import on_copy
from faults.workspace import Workspace

_FUTURE = "event_time_future"
_PLAY = {
    "schema_version": 1,
    "user_id": "somebody",
    "song_id": "a-song",
    "title": "A song",
    "artist": "An artist",
    "ms_played": 60_000,
}


def _hostile(workspace: Workspace) -> Outcome:
    """Send every example of the contract and further hostile records; each gets its verdict."""
    expected = [*_read_examples(now_ms()), *_list_own(now_ms())]
    workspace.rng.shuffle(expected)
    positions = send(
        workspace.ensure_kafka().bootstrap, SONG_PLAYS, [value for value, _ in expected]
    )
    healed_s = workspace.catch_up()
    workspace.publish()
    rejected = _read_rejected(workspace)
    wrong = [
        f"{where}: {rejected.get(where)}, not {reason}: {(value or b'')[:60]!r}"
        for where, (value, reason) in zip(positions, expected, strict=True)
        if rejected.get(where) != reason
    ]
    outcome = check_healed(
        workspace.judge(others_allowed=True),
        injected=len(positions),
        healed_s=healed_s,
        seen=f"{len(positions)} records, {sum(r is not None for _, r in expected)} to be rejected",
    )
    return require(outcome, condition=not wrong, problem=f"{len(wrong)} verdicts: {wrong[:3]}")


def _read_examples(now: int) -> list[tuple[bytes | None, str | None]]:
    """Return the contract's examples; move those with a future event time relative to now."""
    return [
        (_moved(one.value, now) if one.reason == _FUTURE else one.value, one.reason)
        for one in read_examples()
        if "exactly_five_minutes" not in one.name
    ]


def _moved(value: bytes, now: int) -> bytes:
    play = json.loads(value)
    future_ms = max(10 * 60_000, min(play["event_time"] - 1_767_225_660_000, 10**25))
    return json.dumps({**play, "event_time": now + future_ms}).encode()


def _list_own(now: int) -> list[tuple[bytes | None, str | None]]:
    """Return further records with the expected reason for rejection; None if accepted."""
    ten_years_ms = 3_650 * 24 * 3_600_000
    plays = {
        "overflow": ({"ms_played": 2**63 - 1}, "ms_played_out_of_range"),
        "ten-years": ({"event_time": now + ten_years_ms}, _FUTURE),
        "country": ({"country": "a\u0000b"}, None),
        "version-2": ({"schema_version": 2}, "schema_version_unsupported"),
        "new-field": ({"mood": "blue", "lyrics": {"lines": [1, 2]}}, None),
        "of-1973": ({"event_time": 100_000_000_000}, None),
    }
    records: list[tuple[bytes | None, str | None]] = [(None, "not_object"), (b"", "json_syntax")]
    for name, (changes, reason) in plays.items():
        play = {**_PLAY, "event_id": f"hostile-{name}", "event_time": now - 1_000, **changes}
        records.append((json.dumps(play).encode(), reason))
    return records


def _read_rejected(workspace: Workspace) -> dict[tuple[int, int], str]:
    """Return the reason of each rejected record, by position."""
    _, pins = newest_run(workspace.data)
    columns = ["partition", "offset", "reason"]
    return {
        (row["partition"], row["offset"]): row["reason"]
        for path in live_files(workspace.data, "silver/rejected", pins["silver/rejected"])
        for row in pq.read_table(path, columns=columns, partitioning=None).to_pylist()
    }


CASES = (Case("F44-hostile", "every hostile record, F45 F46 F58 F59", "start", on_copy(_hostile)),)
