"""One run of batch: refine what is new, rebuild what is dirty, prove it, publish it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

import crossfade
from crossfade.clock import HOUR_MS, day_start_ms, floor_to, now_ms
from crossfade.config import Settings
from crossfade.contract.boundary import NO_BOUNDARY, next_boundary
from crossfade.contract.counting import RULES_VERSION
from crossfade.erasure.listener_rows import find_rows
from crossfade.erasure.removal import remove_rows
from crossfade.erasure.suppression import Suppression, load_suppression
from crossfade.errors import BrokerError
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.lake.runs import Run
from crossfade.lake.tables import BRONZE_SONG_PLAYS, SILVER_PLAYS
from crossfade.processing.batch.bronze import PinnedBronze, pin_bronze, read_new_records
from crossfade.processing.batch.charts import revise_charts
from crossfade.processing.batch.conservation import (
    check_positions,
    check_sums,
    has_plays_between,
    played_days,
)
from crossfade.processing.batch.gaps import Gap, find_gaps, prove_gaps
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
from crossfade.processing.batch.restore import undo_dead_run
from crossfade.processing.batch.seal import seal_files
from crossfade.processing.batch.silver import append_judged, demote_losers
from crossfade.processing.batch.tables import create_added_tables, head_versions, read_table
from crossfade.processing.batch.tuning import tune_for
from crossfade.telemetry import get_logger

_log = get_logger("batch")


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a run works, and what it follows."""

    spark: SparkSession
    folder: DataFolder
    settings: Settings
    address: KafkaAddress | None
    previous: Run
    run_uuid: str


def compute_run(place: Workplace) -> Run | None:
    """Compute and publish the run after the previous one; None when there is nothing to publish.

    Raises:
        UnprovenError: a law of conservation does not hold; nothing is published.
        LakeError: a table is not what it should be.
    """
    started_at, lake = now_ms(), place.folder.lake
    create_added_tables(lake, place.run_uuid)
    if restored := undo_dead_run(lake, place.previous.pins, place.run_uuid):
        _log.warning("undid a dead run", tables=restored)
    pinned = pin_bronze(lake, place.previous)
    if pinned is None:
        return None
    before = head_versions(lake)
    leaving = find_rows(lake, pinned.files, load_suppression(place.folder, pending=True))
    suppression = load_suppression(place.folder)
    with _decode_new(place, pinned, suppression) as decoded:
        intake = _take_in(place, decoded)
        gaps = _explain_gaps(place, decoded, intake)
        horizon = _look_ahead(place, intake)
        boundary = next_boundary(
            place.previous.boundary,
            horizon.log_time,
            horizon.next_log_times,
            rules=place.folder.time_rules,
        )
        has_news = intake.bronze_rows or leaving or pinned.is_rewritten
        if not has_news and not _is_worth_publishing(place, boundary):
            return None
        removal = remove_rows(place.spark, lake, leaving, suppression, place.run_uuid)
        verdicts = _refine(place, decoded, intake)
    refresh_names(place.spark, lake, None, removal.song_ids, place.run_uuid)
    verdicts = verdicts.touching(removal.event_times, place.folder.time_rules.grain_ms)
    dirty, revised_charts = _rebuild(
        place, verdicts, boundary, may_be_empty=bool(removal.event_times)
    )
    after = head_versions(lake)
    check_positions(lake, before, after, intake)
    check_sums(lake, after, dirty)
    seal_files(lake)
    run = Run(
        run=place.previous.run + 1,
        run_uuid=place.run_uuid,
        pins={**after, BRONZE_SONG_PLAYS.name: pinned.version},
        start_offsets=intake.start_offsets,
        end_offsets=intake.end_offsets,
        last_log_times=intake.last_log_times,
        next_log_times=horizon.next_log_times,
        log_time=horizon.log_time,
        boundary=boundary,
        gaps=gaps,
        bronze_rows=sum(intake.bronze_rows.values()),
        accepted=verdicts.accepted,
        rejected=sum(intake.rejected_by_reason.values()),
        duplicates=verdicts.duplicates,
        erased=intake.erased,
        rejected_by_reason=intake.rejected_by_reason,
        late=verdicts.late,
        counted_plays=verdicts.counted_plays,
        ms_played=verdicts.ms_played,
        revised_charts=revised_charts,
        rules=RULES_VERSION,
        code_version=crossfade.__version__,
        started_at_ms=started_at,
        published_at_ms=now_ms(),
    )
    publish_run(lake, run)
    return run


@contextmanager
def _decode_new(
    place: Workplace, pinned: PinnedBronze, suppression: Suppression
) -> Iterator[DataFrame | None]:
    """Keep the new records, judged, for as long as a run uses them; None where there are none."""
    if not pinned.new_files:
        yield None
        return
    tune_for(place.spark, pinned.new_rows)
    records = read_new_records(place.spark, pinned, place.previous.end_offsets)
    decoded = decode_records(records, suppression).persist()
    try:
        yield decoded
    finally:
        decoded.unpersist()


def _take_in(place: Workplace, decoded: DataFrame | None) -> Intake:
    """Count the new records; the first use of the decoded frame, which keeps it."""
    rows = [] if decoded is None else summarize_partitions(decoded).collect()
    return sum_intake(rows, place.previous)


def _explain_gaps(place: Workplace, decoded: DataFrame | None, intake: Intake) -> list[Gap]:
    if decoded is None or intake.is_dense:
        return []
    gaps = find_gaps(decoded, intake.start_offsets)
    prove_gaps(place.address, gaps)
    return gaps


def _look_ahead(place: Workplace, intake: Intake) -> Horizon:
    """Ask Kafka for L and N, which must come after bronze was pinned; else judge by bronze."""
    if place.address is not None:
        try:
            return ask_kafka(place.address, place.run_uuid, intake.end_offsets)
        except BrokerError as error:
            _log.warning("Kafka is away: the boundary follows bronze alone", reason=str(error))
    return assume_without_kafka(intake.end_offsets, intake.last_log_times)


def _is_worth_publishing(place: Workplace, boundary: int) -> bool:
    """Tell whether a boundary alone is worth a run: it passed an hour, or windows with plays."""
    previous = place.previous.boundary
    if previous <= NO_BOUNDARY:
        return boundary > previous and place.previous.run > 0
    if floor_to(previous, HOUR_MS) != floor_to(boundary, HOUR_MS):
        return True
    return previous < boundary and has_plays_between(place.folder.lake, (previous, boundary))


def _refine(place: Workplace, decoded: DataFrame | None, intake: Intake) -> Verdicts:
    """Write what is new to silver and to the songs' names, and say which times it touched."""
    if decoded is None:
        return Verdicts()
    if not intake.days:
        append_judged(decoded, None, place.folder.lake, intake, Verdicts())
        return Verdicts()
    spark, lake = place.spark, place.folder.lake
    silver = read_table(spark, lake, SILVER_PLAYS, intake.days).where(on_days(intake.days))
    # Cut off from what it was made of: silver is written while this is still used.
    judged = judge_candidates(decoded, silver).localCheckpoint(eager=False)
    verdicts = sum_verdicts(summarize_plays(judged, place.folder.time_rules).collect())
    append_judged(decoded, judged, lake, intake, verdicts)
    demoted = demote_losers(spark, judged, lake) if verdicts.known else []
    if verdicts.accepted:
        doubtful = {one.song_id for one in demoted}
        refresh_names(spark, lake, select_accepted(judged), doubtful, place.run_uuid)
    times = [one.event_time_ms for one in demoted]
    return verdicts.touching(times, place.folder.time_rules.grain_ms)


def _rebuild(
    place: Workplace, verdicts: Verdicts, boundary: int, *, may_be_empty: bool
) -> tuple[Dirty, int]:
    """Rebuild what is dirty below the boundary; give it, and how many charts were revised."""
    spark, lake, previous = place.spark, place.folder.lake, place.previous.boundary
    grain_ms = place.folder.time_rules.grain_ms
    touched = dict(verdicts.touched)
    if previous < 0:
        touched |= {day_start_ms(day): () for day in played_days(lake)}
    dirty = find_dirty(touched, grain_ms, previous=previous, boundary=boundary)
    rebuild_partials(spark, lake, dirty, grain_ms, may_be_empty=may_be_empty)
    forget_old_windows(spark, lake, previous=previous, boundary=boundary)
    periods = dirty_periods(dirty.days, boundary)
    return dirty, revise_charts(spark, lake, periods, place.settings.chart_size)
