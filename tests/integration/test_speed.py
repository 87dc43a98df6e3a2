import shutil
from collections import Counter

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from datasketches import hll_sketch
from pyspark.sql import SparkSession

from crossfade.clock import DAY_MS, MINUTE_MS, SECOND_MS, now_ms
from crossfade.config import load_settings
from crossfade.contract.decode import Rejection, decode_play
from crossfade.contract.examples import read_examples
from crossfade.contract.examples.generated import generate_examples
from crossfade.errors import BrokerError
from crossfade.folder import SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import Grain
from crossfade.lake.checkpoint import newest_committed
from crossfade.processing.failures import explain_failure
from support.speed_runs import (
    a_play,
    read_speed_output,
    read_topic,
    running_speed,
    send,
    wait_until,
)

pytestmark = [pytest.mark.kafka, pytest.mark.spark]

SONG = Grain("SE", "song", "Jóga", "Björk", None, None)
PARTITIONS = 4


def drop_newest_commit(folder: DataFolder) -> int:
    """Remove the newest commit, as a crash between a micro-batch's write and commit does."""
    commits = folder.checkpoints / SPEED / "commits"
    newest = newest_committed(folder.checkpoints / SPEED)
    (commits / str(newest)).unlink()
    (commits / f".{newest}.crc").unlink()
    return newest


def test_a_window_counts_each_play_on_time_once_and_its_marker_counts_the_others(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    now = now_ms()
    on_time = [
        a_play(1, event_time=now),
        a_play(2, event_time=now, ms_played=29_999),
        a_play(3, event_time=now, ms_played=None),
        a_play(4, event_time=now, kind="episode"),
        a_play(5, event_time=now, user_id="user-1", album="Homogenic", genre="art pop"),
        a_play(6, event_time=now - 29 * MINUTE_MS, country="ZZ"),
        a_play(7, event_time=now + 4 * MINUTE_MS, country="IS"),
    ]
    late = [
        a_play(8, event_time=now - 31 * MINUTE_MS),
        *(a_play(n, event_time=1_500_000_000_000 + n, user_id=f"old-{n}") for n in range(20, 30)),
        a_play(9, event_time=1_500_000_000_000 - 5 * DAY_MS),
    ]
    rejected = [a_play(10, event_time=now + 6 * MINUTE_MS), b"no JSON", None, b"x" * 2_000_000]
    send(empty_topics, *on_time, on_time[0], on_time[0], *late, *rejected)
    with running_speed(spark, data_folder, empty_topics) as query:
        query.processAllAvailable()
    said = read_speed_output(empty_topics)

    start_of = data_folder.time_rules.window_start
    named = Grain("SE", "song", "Jóga", "Björk", "Homogenic", "art pop")
    assert said.plays() == {
        (start_of(now), SONG): 4,
        (start_of(now), named): 1,
        (start_of(now - 29 * MINUTE_MS), SONG._replace(country="ZZ")): 1,
        (start_of(now + 4 * MINUTE_MS), SONG._replace(country="IS")): 1,
    }
    [value] = [v for (_, _, grain), v in said.values.items() if grain == SONG]
    assert (value.counted_plays, value.ms_played) == (2, 60_000 + 29_999 + 60_000)
    assert round(hll_sketch.deserialize(value.listeners).get_estimate()) == 4

    newest = said.markers_of(0)[-1]
    assert (newest.accepted, newest.late, newest.repeats, newest.rejected) == (21, 12, 2, 4)
    newest_late = now - 31 * MINUTE_MS
    assert newest.late_by_day == {17_361: 10, 17_356: 1, newest_late // DAY_MS: 1}
    assert newest.newest_late == newest_late
    assert (newest.dropped, newest.watermark) == (0, None)
    assert newest.end_offsets == read_end_offsets(empty_topics, SONG_PLAYS)


def test_every_partition_gets_every_marker_after_the_rows_it_covers(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    with running_speed(spark, data_folder, empty_topics) as query:
        for number in range(3):
            send(empty_topics, a_play(number))
            query.processAllAvailable()
    said = read_speed_output(empty_topics)
    for partition in range(PARTITIONS):
        markers = said.markers_of(partition)
        assert [marker.batch for marker in markers] == list(range(-1, len(markers) - 1))
        ends = [sum(marker.end_offsets.values()) for marker in markers]
        assert ends == sorted(ends)
        assert {0, 1, 2, 3} == set(ends)
        assert len({(marker.generation, marker.epoch) for marker in markers}) == 1
    assert list(said.plays().values()) == [3]


def test_no_hostile_record_stops_the_stream_or_hides_a_good_one(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    hostile = [example.value for example in (*read_examples(), *generate_examples())]
    send(empty_topics, *hostile, a_play(1))
    with running_speed(spark, data_folder, empty_topics) as query:
        query.processAllAvailable()
    verdicts = [
        decode_play(record.value(), record.timestamp()[1])
        for record in read_topic(empty_topics, SONG_PLAYS)
    ]
    is_rejected = Counter(isinstance(verdict, Rejection) for verdict in verdicts)
    said = read_speed_output(empty_topics)
    newest = said.markers_of(0)[-1]
    assert (newest.rejected, newest.accepted) == (is_rejected[True], is_rejected[False])
    assert [n for (_, grain), n in said.plays().items() if grain == SONG] == [1]


@pytest.mark.fault
def test_a_micro_batch_that_is_run_again_sends_the_same_rows_under_a_higher_epoch(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    now = now_ms()
    with running_speed(spark, data_folder, empty_topics) as query:
        for first in (0, 10):
            plays = [a_play(first + n, event_time=now) for n in range(10)]
            send(empty_topics, *plays, b"junk", partition=0)
            query.processAllAvailable()
    before = read_speed_output(empty_topics)
    repeated = drop_newest_commit(data_folder)
    with running_speed(spark, data_folder, empty_topics) as query:
        query.processAllAvailable()
    after = read_speed_output(empty_topics)

    assert after.plays() == before.plays() == {(data_folder.time_rules.window_start(now), SONG): 20}
    old, begun, again = after.markers_of(0)[-3:]
    assert (old.epoch, begun.epoch, again.epoch) == (1, 2, 2)
    assert (old.batch, begun.batch, again.batch) == (repeated, repeated - 1, repeated)
    assert again.end_offsets == old.end_offsets
    assert (again.accepted, again.rejected) == (old.accepted, old.rejected) == (10, 1)


def test_an_ordinary_restart_continues_its_counts_in_a_new_epoch(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    now = now_ms()
    for number in range(2):
        send(empty_topics, a_play(number, event_time=now))
        with running_speed(spark, data_folder, empty_topics) as query:
            query.processAllAvailable()
    said = read_speed_output(empty_topics)
    assert list(said.plays().values()) == [2]
    first, second = said.markers_of(0)[1], said.markers_of(0)[2]
    assert (second.epoch, second.batch) == (first.epoch + 1, first.batch)
    assert second.end_offsets == first.end_offsets


def test_a_lost_checkpoint_is_a_new_generation_with_the_same_numbers(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    send(empty_topics, *(a_play(number) for number in range(5)))
    generations = []
    for _ in range(2):
        with running_speed(spark, data_folder, empty_topics) as query:
            query.processAllAvailable()
        generations.append(read_speed_output(empty_topics).markers_of(0)[-1].generation)
        shutil.rmtree(data_folder.checkpoints / SPEED)
    said = read_speed_output(empty_topics)
    first, second = (said.plays(generation) for generation in generations)
    assert generations[0] != generations[1]
    assert first == second


def test_a_play_at_the_edge_of_lateness_is_counted_after_one_from_the_future(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    now, margin = now_ms(), 20 * SECOND_MS
    times = (now + 5 * MINUTE_MS - margin, now - 30 * MINUTE_MS + margin)
    with running_speed(spark, data_folder, empty_topics) as query:
        for number, event_time in enumerate((times[0], times[0], times[1])):
            send(empty_topics, a_play(number, event_time=event_time))
            query.processAllAvailable()
    said = read_speed_output(empty_topics)
    assert sorted(said.plays().values()) == [1, 2]
    assert {marker.dropped for marker in said.markers_of(0)} == {0}
    assert said.markers_of(0)[-1].watermark is not None


def test_repeats_in_another_micro_batch_are_left_out_if_exact_counts_are_set(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    play = a_play(1)
    settings = load_settings(speed_dedupe="watermark")
    with running_speed(spark, data_folder, empty_topics, settings) as query:
        for _ in range(2):
            send(empty_topics, play, play)
            query.processAllAvailable()
    said = read_speed_output(empty_topics)
    assert list(said.plays().values()) == [1]
    assert sum(marker.repeats for marker in said.markers_of(0)) == 3


def test_state_in_rocksdb_gives_the_same_numbers(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    now = now_ms()
    settings = load_settings(speed_state="rocksdb")
    for number in range(2):
        send(empty_topics, a_play(number, event_time=now))
        with running_speed(spark, data_folder, empty_topics, settings) as query:
            query.processAllAvailable()
    assert list(read_speed_output(empty_topics).plays().values()) == [2]


@pytest.mark.fault
def test_records_that_kafka_lost_stop_the_query_with_a_reason(
    spark: SparkSession, data_folder: DataFolder, empty_topics: KafkaAddress
) -> None:
    send(empty_topics, a_play(1), partition=0)
    with running_speed(spark, data_folder, empty_topics) as query:
        query.processAllAvailable()
    send(empty_topics, a_play(2), a_play(3), partition=0)
    admin = AdminClient(empty_topics.client_config())
    for outcome in admin.delete_records([TopicPartition(SONG_PLAYS, 0, 2)]).values():
        outcome.result(30)
    with running_speed(spark, data_folder, empty_topics) as query:
        wait_until(lambda: not query.isActive)
    error = explain_failure(SPEED, str(query.exception()))
    assert isinstance(error, BrokerError)
    assert "no longer holds" in error.what
