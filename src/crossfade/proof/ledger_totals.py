"""The checks of a ledger's sums: against its own rows, and against gold."""

from functools import partial

from crossfade.clock import DAY_MS, HOUR_MS, floor_to, format_time
from crossfade.contract.ledger import Ledger, Seal
from crossfade.lake.findings import Finding
from crossfade.proof.ledger_views import Violations, find_violations, judge_violations
from crossfade.proof.pinned import PinnedLake

WHOLE = "ledger: consistent in itself"
GOLD_COUNTS = "ledger: gold counts what was sent"

_MEASURES = ("plays", "counted_plays", "ms_played")
_TABLES = ("gold/song_window", "gold/song_day", "gold/activity_hour")


def check_whole(pinned: PinnedLake, number: int, ledger: Ledger) -> Finding:
    """Compare a ledger's rows with its seal and with its counts."""
    seal = ledger.seal
    sealed = _tally_seal(seal)
    held: dict[str, int] = dict(pinned.fetch("ledger_tallies", ledger=number))
    tallies = [
        f"{what}: {sealed.get(what, 0):,} in ledger.json, {held.get(what, 0):,} in the rows"
        for what in dict.fromkeys([*sealed, *held])
        if sealed.get(what, 0) != held.get(what, 0)
    ]
    torn = find_violations(
        pinned,
        "ledger_torn_rows",
        lambda place, fault: f"record {place}: {fault}",
        ledger=number,
        records=seal.records,
    )
    describe = partial(_format_counts, sides=("in counts.parquet", "in the rows"))
    counts = find_violations(pinned, "ledger_other_counts", describe, ledger=number)
    wrong = Violations(
        len(tallies) + torn.total + counts.total, [*tallies, *torn.names, *counts.names]
    )
    subject = f"{ledger.folder.name}: {seal.records:,} records"
    return judge_violations(WHOLE, subject, wrong, sides=(seal.records, held["records"]))


def check_gold(pinned: PinnedLake) -> list[Finding]:
    """Compare gold, over its closed ranges, with the ledgers' plays and silver's other plays."""
    boundary = pinned.run.boundary
    closed_day = floor_to(boundary, DAY_MS)
    pinned.prepare(
        "ledger_wanted",
        boundary=boundary,
        closed_day=closed_day,
        closed_hour=floor_to(boundary, HOUR_MS),
        kept_from=closed_day - DAY_MS,
        grain=pinned.folder.time_rules.grain_ms,
    )
    pinned.prepare("ledger_held")
    return [_check_table(pinned, table) for table in _TABLES]


def _check_table(pinned: PinnedLake, table: str) -> Finding:
    [(wanted, held)] = pinned.fetch("ledger_plays", gold=table)
    describe = partial(_format_counts, sides=("in gold", "sent"))
    wrong = find_violations(pinned, "ledger_other_gold", describe, gold=table)
    return judge_violations(GOLD_COUNTS, table, wrong, sides=(wanted, held))


def _tally_seal(seal: Seal) -> dict[str, int]:
    one_each = ("records", "acknowledged", "unknown", "counted_plays", "ms_played")
    return {
        **{name: getattr(seal, name) for name in one_each},
        **{f"answers {name}": count for name, count in seal.answers.items()},
        **{f"reasons {name}": count for name, count in seal.reasons.items()},
        **{f"faults {name}": count for name, count in seal.faults.items()},
    }


def _format_counts(
    period_ms: int, country: str, song_id: str | None, *counts: int, sides: tuple[str, str]
) -> str:
    """Format both sides' counts of a period, country and song."""
    half = len(_MEASURES)
    both = "; ".join(
        ", ".join(f"{name} {count}" for name, count in zip(_MEASURES, part, strict=True))
        + f" {side}"
        for part, side in zip((counts[:half], counts[half:]), sides, strict=True)
    )
    song = "" if song_id is None else f", {song_id}"
    return f"{format_time(period_ms)}, {country}{song}: {both}"
