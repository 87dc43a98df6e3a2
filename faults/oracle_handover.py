"""Speed to batch: check that both count the same plays in every window handed over."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from faults.oracle_findings import NAMED_AT_MOST, Findings, Kind, Tally
from faults.oracle_lake import Run, TimeRules
from faults.oracle_positions import format_position
from faults.oracle_speed import Speed
from faults.oracle_sums import Pairs, Sums, pair_up
from faults.oracle_truth import Truth

CHECK = "hand-over"
_Mask = NDArray[np.bool_]


def check_too_early(
    truth: Truth, is_play: _Mask, runs: Sequence[Run], rules: TimeRules, findings: Findings
) -> None:
    """Report plays on time whose window was handed over by a run that had not read them.

    The first run whose boundary passes a window takes it over. Speed may still add to that window,
    but readers no longer see those counts.
    """
    plays = np.flatnonzero(is_play & truth.is_on_time)
    published = [run for run in runs if run.number > 0]
    boundaries = np.array([run.boundary for run in published], np.int64)
    ends = _window_ends(truth, plays, rules)
    by_run = np.searchsorted(boundaries, ends, "left")
    early = Tally()
    for number in np.unique(by_run).tolist():
        if number == len(published):
            continue
        run = published[number]
        covered = truth.positions.below(run.end_offsets)
        for index in plays[(by_run == number) & ~covered[plays]].tolist():
            position = format_position(*truth.positions.locate(index))
            early.add(f"{position}: on time; run {run.number} took its window over without it")
    findings.add(Kind.WRONG, CHECK, early.names, total=early.total)
    findings.note_checked("plays on time", len(plays))


def check_handovers(
    truth: Truth,
    is_play: _Mask,
    run: Run,
    speed: Speed,
    rules: TimeRules,
    findings: Findings,
    *,
    erased: int = 0,
) -> None:
    """Compare both layers for each pair of window and grain.

    Speed may have more only because of repeats of a play in another micro-batch, and of plays that
    were erased after speed counted them. In a window that was not handed over, speed may have less,
    because it may not have read every record yet.
    """
    winner = truth.choose_winners(is_play)
    is_first = winner == np.arange(len(winner))
    on_time = is_play & truth.is_on_time
    once, again = (
        _count(truth, np.flatnonzero(on_time & chosen)) for chosen in (is_first, ~is_first)
    )
    rows = speed.generation.rows
    keys = rows["key"]
    values = np.stack([rows[name] for name in ("plays", "counted", "ms")], axis=1)
    low = pair_up(once.total(), (np.sort(keys), values[np.argsort(keys)]))
    repeats = pair_up((low.keys, low.left), again.total())
    lowest, highest = repeats.left, repeats.left + repeats.right
    counts = pair_up((low.keys, low.right), again.total()).left
    starts = _windows_of(repeats.keys, truth, np.flatnonzero(on_time), rules, speed)
    ends = starts + rules.grain
    unseen = _unseen_windows(truth, on_time, rules, speed)
    unjudged = (starts < speed.retained_from) | np.isin(starts, unseen)
    is_passed = all(speed.end_offsets.get(p, 0) >= end for p, end in run.end_offsets.items())
    handed = (ends <= run.boundary) & ~unjudged & is_passed
    is_over = (counts > highest).any(axis=1) & ~unjudged
    is_short = (counts < lowest).any(axis=1) & handed & ~is_over
    is_dropped = is_short & (ends <= speed.generation.dropped_before)
    pairs = Pairs(repeats.keys, counts, lowest)
    if 0 < (excess := int((counts - highest)[is_over, 0].sum())) <= erased:
        findings.note(f"explained, {CHECK}: {excess} plays that were erased since")
        is_over[:] = False
    _report(is_over, "speed has more than was sent", pairs, starts, findings)
    _report(is_short & ~is_dropped, "speed has less than batch", pairs, starts, findings)
    _explain(pairs, handed & ~is_over & ~is_short, "repeats in another micro-batch", findings)
    if is_dropped.any():
        findings.note(f"explained, {CHECK}: {is_dropped.sum()} rows that the watermark dropped")
    if not is_passed:
        findings.note(f"pending, {CHECK}: speed has not read all that run {run.number} covers")
    findings.note_checked("rows handed over", int(handed.sum()))
    findings.note_checked("rows of speed", len(rows))


def _count(truth: Truth, plays: NDArray[np.int64]) -> Sums:
    sums = Sums(3)
    ones = np.ones(len(plays), np.int64)
    sums.add(truth.window[plays], ones, truth.is_counted[plays], truth.ms_played[plays])
    return sums


def _window_ends(truth: Truth, plays: NDArray[np.int64], rules: TimeRules) -> NDArray[np.int64]:
    times = truth.event_time[plays]
    return times - times % rules.grain + rules.grain


def _windows_of(
    keys: NDArray[np.int64],
    truth: Truth,
    plays: NDArray[np.int64],
    rules: TimeRules,
    speed: Speed,
) -> NDArray[np.int64]:
    """Return the window start of each key."""
    rows = speed.generation.rows
    known = np.concatenate([truth.window[plays], rows["key"]])
    starts = np.concatenate([_window_ends(truth, plays, rules) - rules.grain, rows["window"]])
    known, first = np.unique(known, return_index=True)
    return starts[first][np.searchsorted(known, keys)]


def _unseen_windows(
    truth: Truth, on_time: _Mask, rules: TimeRules, speed: Speed
) -> NDArray[np.int64]:
    """Return the windows with plays that lie before the first offsets of speed's generation."""
    firsts: Mapping[int, int] = speed.generation.first_offsets
    unseen = np.flatnonzero(on_time & truth.positions.below(firsts))
    return np.unique(_window_ends(truth, unseen, rules) - rules.grain)


def _report(
    marked: _Mask, what: str, pairs: Pairs, starts: NDArray[np.int64], findings: Findings
) -> None:
    at = np.flatnonzero(marked)
    names = []
    for number in at[:NAMED_AT_MOST].tolist():
        moment = datetime.fromtimestamp(int(starts[number]) / 1_000, UTC).isoformat()
        sides = f"{pairs.left[number].tolist()} by speed, {pairs.right[number].tolist()} by batch"
        names.append(f"window {moment}: {what}: {sides} (plays, counted, ms)")
    findings.add(Kind.UNEXPLAINED, CHECK, names, total=len(at))


def _explain(pairs: Pairs, marked: _Mask, what: str, findings: Findings) -> None:
    excess = int((pairs.left - pairs.right)[marked, 0].sum())
    if excess:
        findings.note(f"explained, {CHECK}: {excess} {what}")
