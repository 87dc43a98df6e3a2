"""Start cases: the topic that the streams meet is not the one that they left."""

from confluent_kafka import KafkaException

from faults.case import Case, Outcome
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
from faults.lake_image import take_image, versions
from faults.oracle_kafka import PLAYS_BY_WINDOW, SONG_PLAYS
from faults.outcomes import also, both, refused, settle
from faults.place import Place
from faults.template import on_copy

_ANEW = "deleted and made anew"
_GONE = r"no longer holds"


def _made_anew(place: Place, events: int) -> Outcome:
    """Delete the topic and let producers fill a new one; nothing may be read onto the old."""
    before, bootstrap = take_image(place.data), place.kafka().bootstrap
    archived = place.ends()
    old = topic_id(bootstrap, SONG_PLAYS)
    delete_topics(bootstrap, SONG_PLAYS)
    place.generate("anew", "--rate", "max", "--events", str(events))
    injected = int(topic_id(bootstrap, SONG_PLAYS) != old)
    is_longer = all(end > archived[p] for p, end in place.ends().items())
    outcomes = [
        refused(place, place.run(*words), _ANEW, injected=injected, before=before)
        for words in (["speed"], ["batch", "--once"])
    ]
    as_meant = is_longer == (events > sum(archived.values()))
    return also(both(outcomes), is_so=as_meant, otherwise="the new topic has another length")


def _shorter(place: Place) -> Outcome:
    return _made_anew(place, 400)


def _longer(place: Place) -> Outcome:
    return _made_anew(place, 12_000)


def _retention(place: Place) -> Outcome:
    """Let Kafka forget records that nobody has read: what is gone must be named."""
    before, bootstrap = take_image(place.data), place.kafka().bootstrap
    partition = place.dice.choice(sorted(place.ends()))
    end = place.ends()[partition]
    begin = delete_records(bootstrap, SONG_PLAYS, partition, end - place.dice.randrange(1, 20))
    named = rf"{_GONE}.*\[{partition}\].*\b{begin - 1}\b"
    outcomes = [
        refused(place, place.run(word), named, injected=int(begin > 0), before=before)
        for word in ("speed", "archive")
    ]
    return both(outcomes)


def _partitions_added(place: Place) -> Outcome:
    """Return the topic two more partitions, with records in them before anybody looks."""
    bootstrap = place.kafka().bootstrap
    total = len(place.ends()) + 2
    add_partitions(bootstrap, SONG_PLAYS, total)
    place.generate("added", "--rate", "300", "--events", "900", "--report", "start", "--seed", "91")
    ends = place.ends()
    new = min(ends[total - 2], ends[total - 1])
    return settle(place, injected=int(new > 0), said=f"{total} partitions, {new} records and more")


def _misspelt(place: Place) -> Outcome:
    """Send to a topic that does not exist: the broker may not make it."""
    bootstrap, name = place.kafka().bootstrap, "song-play"
    try:
        send(bootstrap, name, [b"{}"])
    except KafkaException as error:
        wrong = int(name in list_topics(bootstrap))
        return Outcome(injected=1, wrong=wrong, said=f"not taken: {error.args[0].str()}")
    return Outcome(injected=1, wrong=1, said="the broker took it")


def _topics_gone(place: Place) -> Outcome:
    """Delete both topics: they are made anew, which the old lake must not take for its own."""
    before, bootstrap = take_image(place.data), place.kafka().bootstrap
    old = topic_id(bootstrap, SONG_PLAYS)
    delete_topics(bootstrap, SONG_PLAYS, PLAYS_BY_WINDOW)
    driver = place.run("streams")
    injected = int(topic_id(bootstrap, SONG_PLAYS) != old)
    return refused(place, driver, _ANEW, injected=injected, before=before)


def _producers_clocks(place: Place) -> Outcome:
    """Let the topic take its producers' clocks: no start may accept that."""
    before, bootstrap = take_image(place.data), place.kafka().bootstrap
    set_topic(bootstrap, SONG_PLAYS, "message.timestamp.type", "CreateTime")
    driver = place.run("streams")
    return refused(place, driver, "LogAppendTime", injected=1, before=before)


def _flipped_segment(place: Place) -> Outcome:
    """Flip a byte among the unread records of a segment, then undo it: a stop, and no more."""
    before, heads = take_image(place.data), versions(place.data)
    segment = place.dice.choice(sorted(place.kafka_folder.glob(f"data/{SONG_PLAYS}-*/*0.log")))
    whole = segment.read_bytes()
    flip_byte(segment, place.dice, within=(0.93, 0.99), keep_sum=True)
    injected = int(segment.read_bytes() != whole)
    place.kafka()
    driver = place.run("archive")
    outcome = refused(place, driver, "damaged|corrupt", injected=injected, before=None)
    live = {path: image for path, image in take_image(place.data).items() if path in before}
    is_untouched = live == dict(before) and versions(place.data) == heads
    outcome = also(outcome, is_so=is_untouched, otherwise="the archive wrote")
    place.stop_kafka()
    segment.write_bytes(whole)
    return both([outcome, settle(place, injected=injected, said="exact once it was repaired")])


CASES = (
    Case("F15-shorter", "topic made anew, shorter than before", "start", on_copy(_shorter)),
    Case("F16-longer", "topic made anew, longer than before", "start", on_copy(_longer)),
    Case("F17-retention", "Kafka forgot what was not read", "start", on_copy(_retention)),
    Case("F18-clocks", "the topic takes producers' clocks", "start", on_copy(_producers_clocks)),
    Case("F20-added", "topic partitions were added", "start", on_copy(_partitions_added)),
    Case("F21-misspelt", "a misspelt topic", "start", on_copy(_misspelt)),
    Case("F21-gone", "both topics are gone", "start", on_copy(_topics_gone)),
    Case("F23-segment", "byte flipped in a segment of Kafka", "start", on_copy(_flipped_segment)),
)
