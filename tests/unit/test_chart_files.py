"""The charts' SQL files: a header with the question, and SQL whose results can be merged."""

import re

import pytest

from crossfade.errors import LakeError
from crossfade.processing.batch.chart_files import ChartFile, parse_chart_file, read_chart_files

HEADER = """-- chart:     songs
-- question:  Which?
-- listeners: song
-- rank by:   charted_plays, plays
"""


def test_the_package_has_charts_of_songs_and_of_artists() -> None:
    assert [chart.name for chart in read_chart_files()] == ["artists", "songs"]


@pytest.mark.parametrize("chart", read_chart_files(), ids=lambda chart: chart.name)
def test_a_chart_sums_what_can_be_merged_and_leaves_order_to_the_ranking(chart: ChartFile) -> None:
    assert chart.question.endswith("?")
    assert chart.rank_by[0] == "charted_plays"
    for word in ("ORDER BY", "LIMIT", "AVG(", "COUNT(DISTINCT"):
        assert word not in chart.sql.upper()
    assert not re.search(r"--", chart.sql)


def test_a_header_is_read_and_the_sql_below_it_is_kept() -> None:
    chart = parse_chart_file("songs.sql", HEADER + "\nSELECT 1\nFROM song_day\n")
    assert chart == ChartFile(
        "songs", "Which?", "song", ("charted_plays", "plays"), "SELECT 1\nFROM song_day"
    )


def test_a_missing_or_an_unknown_key_is_named() -> None:
    text = HEADER.replace("-- listeners: ", "-- listenrs: ")
    with pytest.raises(LakeError, match=r"songs\.sql: .* missing or unknown: listeners, listenrs"):
        parse_chart_file("songs.sql", text)


def test_a_chart_lies_in_the_file_of_its_name() -> None:
    with pytest.raises(LakeError, match=r"hits\.sql holds the chart songs"):
        parse_chart_file("hits.sql", HEADER + "SELECT 1")
