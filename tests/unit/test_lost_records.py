"""Records that Kafka no longer holds are named before a query runs."""

import pytest

from crossfade.processing.streams.lost_records import describe_lost_records

HELD = {0: 10, 1: 0}
ENDS = {0: 40, 1: 7}


@pytest.mark.parametrize("reached", [{}, {0: 10, 1: 0}, {0: 40, 1: 7}, {0: 25}])
def test_a_query_that_can_continue_has_no_lost_records(reached: dict[int, int]) -> None:
    assert describe_lost_records("archive", reached, HELD, ENDS) == ""


def test_deleted_records_are_counted_and_named_by_offset() -> None:
    text = describe_lost_records("archive", {0: 4, 1: 0}, {0: 10, 1: 1_000}, {0: 40, 1: 2_000})
    assert text == (
        "Kafka no longer holds 1,006 records that archive has not read: "
        "song-plays [0] offsets 4 to 9, [1] offsets 0 to 999."
    )


def test_a_topic_that_ends_before_what_was_read_was_cut() -> None:
    text = describe_lost_records("speed", {0: 41, 1: 7}, HELD, ENDS)
    assert "shorter than what speed has read ([0] ends at 40, read to 41)" in text


def test_partitions_that_are_gone_are_named() -> None:
    text = describe_lost_records("speed", {0: 40, 1: 7, 2: 5}, HELD, ENDS)
    assert text == (
        "song-plays has 2 partitions, but speed has read partition 2: the topic was created again."
    )
