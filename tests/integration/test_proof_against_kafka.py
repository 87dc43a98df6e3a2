"""The proof's checks against Kafka: bronze byte for byte, and speed's newest values."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from crossfade.cli.handovers import record_handovers
from crossfade.clock import MINUTE_MS, floor_to, now_ms
from crossfade.contract.decode import encode_play
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.read_topic import read_topic
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import Grain, Marker, WindowKey, WindowValue, encode_probe_key
from crossfade.lake.findings import Finding, Reconciliation, Verdict
from crossfade.lake.handovers import read_handovers
from crossfade.proof.handover_check import HANDED_OVER
from crossfade.proof.kafka_copy import SAME_BYTES
from crossfade.proof.reconcile import prove_lake
from crossfade.proof.speed_log import read_speed_log
from crossfade.stack.broker import Broker
from support.handmade_lake import HandmadeLake, Record, a_lake, a_play
from support.temporary_topics import temporary_topics

pytestmark = pytest.mark.kafka

GRAIN = 10 * MINUTE_MS
PLAYS = 8


@dataclass
class Stage:
    """A broker with both topics, one partition each, and the window of all plays."""

    address: KafkaAddress
    folder: DataFolder
    window_start: int

    def send_plays(self) -> list[Record]:
        """Send plays as a producer does, and read them back as the archive would."""
        producer = open_producer(self.address)
        for number in range(PLAYS):
            play = a_play(number, event_time=self.window_start + number)
            headers = [("source", b"test")] if number == 3 else None
            producer.produce(SONG_PLAYS, encode_play(play), play.user_id, headers=headers)
        flush(producer)
        ends = read_end_offsets(self.address, SONG_PLAYS)
        return [
            Record(
                partition=message.partition(),
                offset=message.offset(),
                value=message.value() or b"",
                log_time=message.timestamp()[1],
                key=message.key() or b"",
                headers=[{"key": name, "value": text} for name, text in message.headers() or []],
            )
            for message in read_topic(self.address, SONG_PLAYS, begins={0: 0}, ends=ends)
        ]

    def a_lake(self) -> HandmadeLake:
        return a_lake(self.send_plays(), boundary=self.window_start + GRAIN)

    def say(self, plays: int = 2, **place: int | str) -> None:
        """Send speed's values of the four songs."""
        producer = open_producer(self.address)
        for number in range(4):
            play = a_play(number)
            fields = {"generation": "first", "epoch": 1, "batch": 1, **place}
            batch = fields.pop("batch")
            grain = Grain(play.country, play.song_id, play.title, play.artist, None, None)
            key = WindowKey(window_start_ms=self.window_start, grain=grain, **fields)
            value = WindowValue(batch, plays, plays, plays * 60_000, b"")
            producer.produce(PLAYS_BY_WINDOW, msgspec.json.encode(value), msgspec.json.encode(key))
        flush(producer)

    def mark(self, end: int = PLAYS, **place: int | str) -> None:
        marker = Marker(
            **{"generation": "first", "epoch": 1, "batch": 1, **place},
            end_offsets={0: end},
            sent_at=0,
        )
        producer = open_producer(self.address)
        producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key())
        producer.produce(PLAYS_BY_WINDOW, b"{}", encode_probe_key("run"))
        flush(producer)

    def said(self) -> set[int]:
        return {measures.plays for measures in read_speed_log(self.address).rows.values()}

    def prove(self, handmade: HandmadeLake) -> Reconciliation:
        return prove_lake(handmade.write(self.folder), self.address)


def flush(producer: Producer) -> None:
    assert producer.flush(20) == 0


def find(proof: Reconciliation, check: str) -> Finding:
    [finding] = [one for one in proof.findings if one.check == check]
    return finding


@pytest.fixture
def stage(spare_broker: Broker, data_folder: DataFolder) -> Iterator[Stage]:
    with temporary_topics(spare_broker, partitions=1) as address:
        yield Stage(address, data_folder, floor_to(now_ms(), GRAIN) - GRAIN)


def test_the_proof_holds_with_kafka(stage: Stage) -> None:
    stage.say()
    stage.mark()
    proof = stage.prove(stage.a_lake())
    assert proof.holds
    unchecked = [one for one in proof.findings if one.verdict is not Verdict.HOLDS]
    assert [one.note for one in unchecked] == ["The archive's binding file is missing."]
    assert find(proof, SAME_BYTES).note == f"offsets 0 to {PLAYS - 1}"
    assert (find(proof, HANDED_OVER).found, find(proof, HANDED_OVER).note) == (PLAYS, "1 equal")


def test_a_flipped_byte_and_a_missing_record_are_named(stage: Stage) -> None:
    handmade = stage.a_lake()
    rows = handmade.tables["bronze/song_plays"]
    rows[2]["value"] = rows[2]["value"].replace(b"Title 2", b"Title 3")
    rows[3]["headers"] = []
    del rows[5]
    finding = find(stage.prove(handmade), SAME_BYTES)
    assert finding.verdict is Verdict.UNEXPLAINED
    assert finding.expected != finding.found
    assert finding.wrong == (
        "song-plays [0] offset 2: other value",
        "song-plays [0] offset 3: other headers",
        "song-plays [0] offset 5: in Kafka only",
    )


def test_only_what_kafka_retains_is_read_again(stage: Stage) -> None:
    handmade = stage.a_lake()
    admin = AdminClient(stage.address.client_config())
    for outcome in admin.delete_records([TopicPartition(SONG_PLAYS, 0, 6)]).values():
        outcome.result(20)
    finding = find(stage.prove(handmade), SAME_BYTES)
    assert finding.verdict is Verdict.HOLDS
    assert finding.note == "offsets 6 to 7; Kafka does not retain those before 6"


def test_a_topic_that_ends_before_bronze_fails_the_proof(stage: Stage) -> None:
    handmade = stage.a_lake()
    handmade.tables["gold/run"][1]["end_offsets"] = {0: PLAYS + 1}
    finding = find(stage.prove(handmade), SAME_BYTES)
    assert (finding.expected, finding.found) == (PLAYS + 1, PLAYS)
    assert finding.verdict is Verdict.UNEXPLAINED


def test_a_changed_value_of_speed_fails_the_proof(stage: Stage) -> None:
    stage.say(plays=3)
    stage.mark()
    finding = find(stage.prove(stage.a_lake()), HANDED_OVER)
    assert finding.verdict is Verdict.UNEXPLAINED
    assert "speed has 12 plays, batch 8, and 0 repeats" in finding.wrong[0]


def test_a_hand_over_is_pending_until_speed_has_caught_up_then_recorded_once(stage: Stage) -> None:
    stage.a_lake().write(stage.folder)
    stage.say()
    stage.mark(end=PLAYS - 1)
    [pending] = record_handovers(stage.folder, stage.address)
    assert pending.verdict == "pending"
    assert read_handovers(stage.folder.lake) == []
    stage.mark(end=PLAYS, batch=2)
    [settled] = record_handovers(stage.folder, stage.address)
    assert (settled.verdict, settled.speed_plays) == ("equal", PLAYS)
    assert record_handovers(stage.folder, stage.address) == []
    assert read_handovers(stage.folder.lake) == [settled]


def test_hand_overs_wait_while_kafka_is_unreachable(stage: Stage) -> None:
    stage.a_lake().write(stage.folder)
    assert record_handovers(stage.folder, KafkaAddress("127.0.0.1:9")) == []
    assert record_handovers(stage.folder, None) == []
    assert read_handovers(stage.folder.lake) == []


def test_what_kafka_no_longer_holds_keeps_its_recorded_verdict(stage: Stage) -> None:
    handmade = stage.a_lake()
    handmade.write(stage.folder)
    stage.say()
    stage.mark()
    assert [one.verdict for one in record_handovers(stage.folder, stage.address)] == ["equal"]
    stage.mark(batch=2)
    end = read_end_offsets(stage.address, PLAYS_BY_WINDOW)[0]
    admin = AdminClient(stage.address.client_config())
    for outcome in admin.delete_records([TopicPartition(PLAYS_BY_WINDOW, 0, end - 2)]).values():
        outcome.result(20)
    assert read_speed_log(stage.address).rows == {}
    assert find(prove_lake(stage.folder, stage.address), HANDED_OVER).note == "1 equal"


def test_the_late_write_of_a_dead_driver_is_harmless(stage: Stage) -> None:
    stage.say(plays=5, epoch=2, batch=7)
    stage.mark(epoch=2, batch=7)
    stage.say(plays=4, epoch=1, batch=9)
    stage.mark(epoch=1, batch=9, end=1)
    assert stage.said() == {5}
    assert read_speed_log(stage.address).end_offsets == {0: PLAYS}


def test_a_new_generation_counts_once_it_has_caught_up(stage: Stage) -> None:
    stage.say(plays=5)
    stage.mark()
    stage.mark(generation="second", batch=-1, end=0)
    stage.say(plays=1, generation="second", batch=0)
    stage.mark(generation="second", batch=0, end=PLAYS - 1)
    assert stage.said() == {5}
    stage.say(plays=6, generation="second", batch=1)
    stage.mark(generation="second", batch=1)
    assert stage.said() == {6}
    assert read_speed_log(stage.address).first_offsets == {0: 0}


def test_only_the_windows_asked_for_are_held_in_memory(stage: Stage) -> None:
    stage.say()
    stage.mark()
    begin, end = stage.window_start, stage.window_start + GRAIN
    inside = read_speed_log(stage.address, windows_from=begin, windows_to=end)
    assert {window for window, _ in inside.rows} == {begin}
    before = read_speed_log(stage.address, windows_to=begin)
    after = read_speed_log(stage.address, windows_from=end)
    for log in (before, after):
        assert (log.rows, log.end_offsets) == ({}, {0: PLAYS})


def test_rows_without_their_marker_do_not_count_as_progress(stage: Stage) -> None:
    stage.say()
    assert read_speed_log(stage.address).progress is None
