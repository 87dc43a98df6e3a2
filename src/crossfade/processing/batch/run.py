"""One run of batch: refine new records, rebuild what is dirty, check the laws, publish."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

import crossfade
from crossfade.clock import HOUR_MS, day_start_ms, floor_to, now_ms
from crossfade.config import Settings
from crossfade.contract.boundary import NO_BOUNDARY, next_boundary
from crossfade.contract.counting import RULES_VERSION
from crossfade.erasure.listener_rows import ListenerRows, find_rows
from crossfade.erasure.removal import PlayRef, remove_rows
from crossfade.erasure.suppression import Suppression, load_suppression
from crossfade.errors import BrokerError, UnprovenError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.runs import Run, RunCounts, read_proven_gaps
from crossfade.lake.tables import BRONZE_SONG_PLAYS, SILVER_PLAYS
from crossfade.processing.batch.bronze import PinnedBronze, pin_bronze, read_new_records
from crossfade.processing.batch.charts import revise_charts
from crossfade.processing.batch.conservation import (
    check_positions,
    check_sums,
    has_plays_between,
    played_days,
)
from crossfade.processing.batch.dead_run import undo_dead_run
from crossfade.processing.batch.gaps import Gap, find_gaps, offsets_of, prove_gaps
from crossfade.processing.batch.horizon import Horizon, ask_kafka, assume_without_kafka
from crossfade.processing.batch.intake import Intake, Verdicts, sum_intake, sum_verdicts
from crossfade.processing.batch.names import refresh_names
from crossfade.processing.batch.publish import publish_run
from crossfade.processing.batch.ranges import Dirty, dirty_periods, find_dirty, on_days
from crossfade.processing.batch.rebuild import forget_old_windows, rebuild_partials
from crossfade.processing.batch.refine import (
    decode_records,
    judge_candidates,
    select_accepted,
    summarize_partitions,
    summarize_plays,
)
from crossfade.processing.batch.seal import seal_files
from crossfade.processing.batch.silver import append_judged, demote_losers, judge_orphaned
from crossfade.processing.batch.tables import (
    add_columns,
    create_added_tables,
    empty_tables,
    head_versions,
    read_table,
)
from crossfade.processing.batch.tuning import tune_for
from crossfade.telemetry import get_logger

_log = get_logger("batch")


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run works with: its session, data folder and settings, and the run it follows.

    `base` is the run whose rows are kept: the previous one, or, if the rules have changed since,
    one before the first record, so that everything is computed again.
    """

    spark: SparkSession
    folder: DataFolder
    settings: Settings
    address: KafkaAddress | None
    previous: Run
    base: Run
    run_uuid: str

    @property
    def lake(self) -> Path:
        """Return the folder that the tables lie in."""
        return self.folder.lake

    @property
    def is_rebuild(self) -> bool:
        """Check whether the run computes everything again."""
        return self.base is not self.previous


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far a run reaches: its new records, the gaps among them, and its time boundary."""

    intake: Intake
    gaps: list[Gap]
    horizon: Horizon
    boundary: int


def compute_run(context: RunContext) -> Run | None:
    """Compute and publish the run after the previous one; None when there is nothing to publish.

    Raises:
        UnprovenError: a law of conservation does not hold; nothing is published.
        LakeError: a table is not what it should be.
    """
    started_at, lake = now_ms(), context.lake
    _prepare_tables(context)
    pinned = pin_bronze(context.folder, context.base)
    if pinned is None:
        return None
    if context.is_rebuild:
        _log.info("computing everything again", why="the rules have changed", rules=RULES_VERSION)
        empty_tables(lake, context.run_uuid)
    before = head_versions(lake)
    leaving = find_rows(lake, pinned.files, load_suppression(context.folder, pending=True))
    suppression = load_suppression(context.folder)
    with _decode_new(context, pinned, suppression) as decoded:
        reach = _measure_reach(context, decoded, pinned.end_offsets)
        has_moved = reach.intake.end_offsets != context.previous.end_offsets
        has_news = has_moved or leaving or pinned.is_rewritten or context.is_rebuild
        if not has_news and not _is_worth_publishing(context, reach.boundary):
            return None
        left = _remove_erased(context, leaving, suppression)
        verdicts = _refine(context, decoded, reach.intake, left)
    dirty, revised_charts = _rebuild(context, verdicts, reach.boundary, may_be_empty=bool(left))
    after = _prove(context, before, reach.intake, dirty)
    run = Run(
        run=context.previous.run + 1,
        run_uuid=context.run_uuid,
        pins={**after, BRONZE_SONG_PLAYS.name: pinned.version},
        start_offsets=reach.intake.start_offsets,
        end_offsets=reach.intake.end_offsets,
        last_log_times=reach.intake.last_log_times,
        next_log_times=reach.horizon.next_log_times,
        log_time=reach.horizon.log_time,
        boundary=reach.boundary,
        gaps=reach.gaps,
        counts=_count_run(reach.intake, verdicts, revised_charts),
        rules=RULES_VERSION,
        code_version=crossfade.__version__,
        started_at_ms=started_at,
        published_at_ms=now_ms(),
    )
    publish_run(lake, run)
    return run


def _prepare_tables(context: RunContext) -> None:
    """Add what tables of an earlier release lack, and undo what an unfinished run wrote."""
    create_added_tables(context.lake, context.run_uuid)
    if restored := undo_dead_run(context.lake, context.previous.pins, context.run_uuid):
        _log.warning("undid an unfinished run", tables=restored)
    add_columns(context.lake, context.run_uuid)


@contextmanager
def _decode_new(
    context: RunContext, pinned: PinnedBronze, suppression: Suppression
) -> Iterator[DataFrame | None]:
    """Yield the new records, judged and cached; None where there are none."""
    if not pinned.new_files:
        yield None
        return
    tune_for(context.spark, pinned.new_rows)
    records = read_new_records(context.spark, pinned, context.base.end_offsets)
    decoded = decode_records(records, suppression).persist()
    try:
        yield decoded
    finally:
        decoded.unpersist()


def _measure_reach(
    context: RunContext, decoded: DataFrame | None, archived: Mapping[int, int]
) -> _Reach:
    """Count the new records, explain gaps between them, and compute the boundary."""
    intake, gaps = _take_in(context, decoded, archived)
    horizon = _look_ahead(context, intake)
    boundary = next_boundary(
        context.previous.boundary,
        horizon.log_time,
        horizon.next_log_times,
        rules=context.folder.time_rules,
    )
    return _Reach(intake, gaps, horizon, boundary)


def _take_in(
    context: RunContext, decoded: DataFrame | None, archived: Mapping[int, int]
) -> tuple[Intake, list[Gap]]:
    """Count the new records, and prove in Kafka that no play has the offsets between them.

    This first use of the decoded frame fills its cache. If Kafka is away, the run ends at its last
    records, because nothing proves what lies between them and the archive's end offsets.
    """
    rows = [] if decoded is None else summarize_partitions(decoded).collect()
    known = read_proven_gaps(context.lake) if context.is_rebuild else set()
    intake = sum_intake(rows, context.base, archived)
    gaps = _find_gaps(context, decoded, intake)
    try:
        unproven = [gap for gap in gaps if not offsets_of(gap) <= known]
        prove_gaps(context.address, unproven, intake.end_offsets)
    except BrokerError as error:
        intake = sum_intake(rows, context.base)
        gaps = _find_gaps(context, decoded, intake)
        if any(not offsets_of(gap) <= known for gap in gaps):
            raise UnprovenError(error.what, error.cure) from None
    return intake, gaps


def _find_gaps(context: RunContext, decoded: DataFrame | None, intake: Intake) -> list[Gap]:
    if intake.is_dense:
        return []
    return find_gaps(context.spark, decoded, intake.start_offsets, intake.end_offsets)


def _look_ahead(context: RunContext, intake: Intake) -> Horizon:
    """Read L and N from Kafka, after bronze was pinned; without Kafka, derive them from bronze."""
    if context.address is not None:
        try:
            return ask_kafka(context.address, context.run_uuid, intake.end_offsets)
        except BrokerError as error:
            _log.warning("Kafka is away: the boundary follows bronze alone", reason=str(error))
    return assume_without_kafka(intake.end_offsets, intake.last_log_times)


def _is_worth_publishing(context: RunContext, boundary: int) -> bool:
    """Check whether the boundary passed an hour, or windows with plays."""
    previous = context.previous.boundary
    if previous <= NO_BOUNDARY:
        return boundary > previous and context.previous.run > 0
    if floor_to(previous, HOUR_MS) != floor_to(boundary, HOUR_MS):
        return True
    return previous < boundary and has_plays_between(context.lake, (previous, boundary))


def _remove_erased(
    context: RunContext, leaving: ListenerRows | None, suppression: Suppression
) -> list[PlayRef]:
    """Remove erased listeners' rows from silver; return the plays that left or took their place."""
    if not leaving:
        return []
    gone = remove_rows(context.lake, leaving, context.run_uuid)
    adopted = judge_orphaned(context.spark, context.lake, leaving.orphaned, suppression)
    changed = [*gone, *adopted]
    songs = {one.song_id for one in changed}
    refresh_names(context.spark, context.lake, None, songs, context.run_uuid)
    return changed


def _refine(
    context: RunContext, decoded: DataFrame | None, intake: Intake, left: list[PlayRef]
) -> Verdicts:
    """Write new records to silver and the songs' names; return counts and the times touched.

    The plays that `left` silver before touch their times too.
    """
    verdicts, demoted = Verdicts(), list[PlayRef]()
    if decoded is not None and intake.days:
        verdicts, demoted = _judge(context, decoded, intake)
    elif decoded is not None:
        append_judged(decoded, None, context.lake, intake, verdicts)
    times = [one.event_time_ms for one in (*left, *demoted)]
    return verdicts.touching(times, context.folder.time_rules.grain_ms)


def _judge(
    context: RunContext, decoded: DataFrame, intake: Intake
) -> tuple[Verdicts, list[PlayRef]]:
    """Find the winner of each new play, and write silver; return the counts and demoted plays."""
    spark, lake = context.spark, context.lake
    silver = read_table(spark, lake, SILVER_PLAYS, intake.days).where(on_days(intake.days))
    # Cut its lineage: silver, which it was computed from, is written while it is in use.
    judged = judge_candidates(decoded, silver).localCheckpoint(eager=False)
    verdicts = sum_verdicts(summarize_plays(judged, context.folder.time_rules).collect())
    append_judged(decoded, judged, lake, intake, verdicts)
    demoted = demote_losers(spark, judged, lake) if verdicts.known else []
    if verdicts.accepted:
        doubtful = {one.song_id for one in demoted}
        refresh_names(spark, lake, select_accepted(judged), doubtful, context.run_uuid)
    return verdicts, demoted


def _rebuild(
    context: RunContext, verdicts: Verdicts, boundary: int, *, may_be_empty: bool
) -> tuple[Dirty, int]:
    """Rebuild what is dirty below the boundary; return it, and how many charts were revised."""
    spark, lake, previous = context.spark, context.lake, context.base.boundary
    grain_ms = context.folder.time_rules.grain_ms
    touched = dict(verdicts.touched)
    if previous < 0:
        touched |= {day_start_ms(day): () for day in played_days(lake)}
    dirty = find_dirty(touched, grain_ms, previous=previous, boundary=boundary)
    rebuild_partials(spark, lake, dirty, grain_ms, may_be_empty=may_be_empty)
    forget_old_windows(spark, lake, previous=previous, boundary=boundary)
    periods = dirty_periods(dirty.days, boundary)
    return dirty, revise_charts(spark, lake, periods, context.settings.chart_size)


def _prove(
    context: RunContext, before: Mapping[str, int], intake: Intake, dirty: Dirty
) -> dict[str, int]:
    """Check both laws on the tables as written, and add checksums; return their versions."""
    after = head_versions(context.lake)
    check_positions(context.lake, before, after, intake)
    check_sums(context.lake, after, dirty)
    seal_files(context.lake)
    return after


def _count_run(intake: Intake, verdicts: Verdicts, revised_charts: int) -> RunCounts:
    return RunCounts(
        bronze_rows=sum(intake.bronze_rows.values()),
        accepted=verdicts.accepted,
        rejected=sum(intake.rejected_by_reason.values()),
        duplicates=verdicts.duplicates,
        erased=intake.erased,
        rejected_by_reason=intake.rejected_by_reason,
        dropped_by_field=intake.dropped_by_field,
        late=verdicts.late,
        counted_plays=verdicts.counted_plays,
        ms_played=verdicts.ms_played,
        revised_charts=revised_charts,
    )
