"""Start cases: the topic has changed since the streams last read it."""

from confluent_kafka import KafkaException

from faults.case import Case, Outcome
from faults.case_checks import add_up, check_refused, recover, require
from faults.damage import flip_byte
from faults.damage_kafka import (
    add_partitions,
    delete_records,
    delete_topics,
    list_topics,
    send,
    set_topic,
    topic_id,
)
from faults.lake_snapshot import take_snapshot, versions
from faults.oracle_kafka import PLAYS_BY_WINDOW, SONG_PLAYS
from faults.template import on_copy
from faults.workspace import Workspace

_RECREATED = "deleted and created again"
_GONE = r"no longer holds"


def _recreate_topic(workspace: Workspace, events: int) -> Outcome:
    """Delete the topic and fill a new one; its records must not be added to the old ones."""
    before, bootstrap = take_snapshot(workspace.data), workspace.ensure_kafka().bootstrap
    archived = workspace.end_offsets()
    old = topic_id(bootstrap, SONG_PLAYS)
    delete_topics(bootstrap, SONG_PLAYS)
    workspace.generate("recreated", "--rate", "max", "--events", str(events))
    injected = int(topic_id(bootstrap, SONG_PLAYS) != old)
    is_longer = all(end > archived[p] for p, end in workspace.end_offsets().items())
    outcomes = [
        check_refused(
            workspace, workspace.run(*words), _RECREATED, injected=injected, before=before
        )
        for words in (["speed"], ["batch", "--once"])
    ]
    as_meant = is_longer == (events > sum(archived.values()))
    return require(add_up(outcomes), condition=as_meant, problem="the new topic has another length")


def _shorter(workspace: Workspace) -> Outcome:
    return _recreate_topic(workspace, 400)


def _longer(workspace: Workspace) -> Outcome:
    return _recreate_topic(workspace, 12_000)


def _retention(workspace: Workspace) -> Outcome:
    """Delete unread records from Kafka; the error must name the missing offsets."""
    before, bootstrap = take_snapshot(workspace.data), workspace.ensure_kafka().bootstrap
    partition = workspace.rng.choice(sorted(workspace.end_offsets()))
    end = workspace.end_offsets()[partition]
    begin = delete_records(bootstrap, SONG_PLAYS, partition, end - workspace.rng.randrange(1, 20))
    named = rf"{_GONE}.*\[{partition}\].*\b{begin - 1}\b"
    outcomes = [
        check_refused(workspace, workspace.run(word), named, injected=int(begin > 0), before=before)
        for word in ("speed", "archive")
    ]
    return add_up(outcomes)


def _partitions_added(workspace: Workspace) -> Outcome:
    """Add two partitions to the topic, and send records to them before the streams start."""
    bootstrap = workspace.ensure_kafka().bootstrap
    total = len(workspace.end_offsets()) + 2
    add_partitions(bootstrap, SONG_PLAYS, total)
    workspace.generate(
        "added", "--rate", "300", "--events", "900", "--report", "start", "--seed", "91"
    )
    ends = workspace.end_offsets()
    new = min(ends[total - 2], ends[total - 1])
    return recover(
        workspace, injected=int(new > 0), seen=f"{total} partitions, {new} records and more"
    )


def _misspelt(workspace: Workspace) -> Outcome:
    """Send to a topic that does not exist; the broker must not create it."""
    bootstrap, name = workspace.ensure_kafka().bootstrap, "song-play"
    try:
        send(bootstrap, name, [b"{}"])
    except KafkaException as error:
        wrong = int(name in list_topics(bootstrap))
        return Outcome(injected=1, wrong=wrong, seen=f"not taken: {error.args[0].str()}")
    return Outcome(injected=1, wrong=1, seen="the broker took it")


def _topics_gone(workspace: Workspace) -> Outcome:
    """Delete both topics; they are created again, and the lake must not continue with them."""
    before, bootstrap = take_snapshot(workspace.data), workspace.ensure_kafka().bootstrap
    old = topic_id(bootstrap, SONG_PLAYS)
    delete_topics(bootstrap, SONG_PLAYS, PLAYS_BY_WINDOW)
    driver = workspace.run("streams")
    injected = int(topic_id(bootstrap, SONG_PLAYS) != old)
    return check_refused(workspace, driver, _RECREATED, injected=injected, before=before)


def _producers_clocks(workspace: Workspace) -> Outcome:
    """Set the topic to use its producers' timestamps; every start must refuse that."""
    before, bootstrap = take_snapshot(workspace.data), workspace.ensure_kafka().bootstrap
    set_topic(bootstrap, SONG_PLAYS, "message.timestamp.type", "CreateTime")
    driver = workspace.run("streams")
    return check_refused(workspace, driver, "LogAppendTime", injected=1, before=before)


def _flipped_segment(workspace: Workspace) -> Outcome:
    """Flip a byte in unread records of a segment; the archive must stop, and work after repair."""
    before, heads = take_snapshot(workspace.data), versions(workspace.data)
    segment = workspace.rng.choice(
        sorted(workspace.kafka_folder.glob(f"data/{SONG_PLAYS}-*/*0.log"))
    )
    whole = segment.read_bytes()
    flip_byte(segment, workspace.rng, within=(0.93, 0.99), keep_sum=True)
    injected = int(segment.read_bytes() != whole)
    workspace.ensure_kafka()
    driver = workspace.run("archive")
    outcome = check_refused(workspace, driver, "damaged|corrupt", injected=injected, before=None)
    live = {
        path: snapshot for path, snapshot in take_snapshot(workspace.data).items() if path in before
    }
    is_untouched = live == dict(before) and versions(workspace.data) == heads
    outcome = require(outcome, condition=is_untouched, problem="the archive wrote")
    workspace.stop_kafka()
    segment.write_bytes(whole)
    return add_up(
        [outcome, recover(workspace, injected=injected, seen="exact after it was repaired")]
    )


CASES = (
    Case(
        "F15-shorter",
        "topic deleted and created again, shorter than before",
        "start",
        on_copy(_shorter),
    ),
    Case(
        "F16-longer",
        "topic deleted and created again, longer than before",
        "start",
        on_copy(_longer),
    ),
    Case("F17-retention", "Kafka deleted unread records", "start", on_copy(_retention)),
    Case("F18-clocks", "the topic uses producers' timestamps", "start", on_copy(_producers_clocks)),
    Case("F20-added", "topic partitions were added", "start", on_copy(_partitions_added)),
    Case("F21-misspelt", "a misspelt topic", "start", on_copy(_misspelt)),
    Case("F21-gone", "both topics are deleted", "start", on_copy(_topics_gone)),
    Case("F23-segment", "byte flipped in a segment of Kafka", "start", on_copy(_flipped_segment)),
)
