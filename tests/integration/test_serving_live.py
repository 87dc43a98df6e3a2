"""The API with a real broker: speed's rows appear in answers soon after they are sent."""

import base64
import time
from typing import Any

import datasketches
import httpx
import msgspec
import pytest

from crossfade.clock import DAY_MS, now_ms, parse_time
from crossfade.contract.decode import encode_play
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import Marker
from support import handmade_lake as handmade
from support.api_server import api_client

pytestmark = pytest.mark.kafka


def _row(window: int, batch: int, plays: int) -> tuple[bytes, bytes]:
    sketch = datasketches.hll_sketch(10)
    sketch.update("user-1")
    listeners = base64.b64encode(sketch.serialize_compact()).decode()
    key = f'{{"g":"live","e":1,"w":{window},"k":["SE","live-song","Title","Artist",null,null]}}'
    value = f'{{"b":{batch},"p":{plays},"n":{plays},"m":60000,"l":"{listeners}"}}'
    return key.encode(), value.encode()


def _wait_until_ready(client: httpx.Client, deadline: float) -> None:
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_late_plays_in_kafka_make_the_closed_month_that_they_belong_to_incomplete(
    empty_topics: KafkaAddress, data_folder: DataFolder
) -> None:
    first, *others = (
        handmade.a_play(number, event_time=parse_time(f"2019-06-{number:02}T10:03:00Z"))
        for number in (3, 4, 5)
    )
    handmade.a_lake(handmade.records_of(first, partitions=1), boundary=handmade.NOON).write(
        data_folder
    )
    producer = open_producer(empty_topics, **{"linger.ms": 0})
    for play in (first, *others):
        producer.produce(SONG_PLAYS, encode_play(play), partition=0)
    assert producer.flush(10) == 0
    ends = read_end_offsets(empty_topics, SONG_PLAYS)
    marker = Marker("live", 1, 1, ends, sent_at=now_ms(), late=2)
    by_day = {play.event_time // DAY_MS: 1 for play in others}
    newest_late = max(play.event_time for play in others)
    marker = msgspec.structs.replace(marker, late_by_day=by_day, newest_late=newest_late)
    for partition in range(4):
        producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key(), partition)
    assert producer.flush(10) == 0

    def ask(month: str) -> dict[str, Any]:
        return dict(client.get("/api/v1/charts/songs", params={"month": month}).json())

    with api_client(data_folder, empty_topics) as client:
        deadline = time.monotonic() + 60
        _wait_until_ready(client, deadline)
        while (other := ask("2019-05"))["why"]:
            assert time.monotonic() < deadline, other["why"]
            time.sleep(0.02)
        june = ask("2019-06")

    assert other["complete"]
    assert not june["complete"]
    assert june["why"] == "2 late plays wait for batch, which adds them when it runs"
    assert sum(row["plays"] for row in june["rows"]) == 1


def test_a_row_of_speed_is_soon_trending_and_the_answer_becomes_complete(
    empty_topics: KafkaAddress, data_folder: DataFolder
) -> None:
    # Otherwise plays of other tests would make the answer incomplete: "no batch run yet".
    address = empty_topics
    producer = open_producer(address, **{"linger.ms": 0})
    window = data_folder.time_rules.window_start(now_ms())

    def trend(client: httpx.Client) -> dict[str, int]:
        rows = client.get("/api/v1/trending?limit=1000").json()["rows"]
        return {row["song_id"]: row["plays"] for row in rows}

    def send(batch: int) -> None:
        key, value = _row(window, batch, plays=batch)
        producer.produce(PLAYS_BY_WINDOW, value, key)
        ends = read_end_offsets(address, SONG_PLAYS)
        marker = Marker("live", 1, batch, ends, sent_at=now_ms())
        for partition in range(4):
            producer.produce(PLAYS_BY_WINDOW, marker.encode(), marker.encode_key(), partition)
        producer.flush(10)

    with api_client(data_folder, address) as client:
        deadline = time.monotonic() + 60
        _wait_until_ready(client, deadline)
        for batch in range(1, 6):
            send(batch)
            while trend(client).get("live-song") != batch:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        while (answer := client.get("/api/v1/trending").json())["why"]:
            assert time.monotonic() < deadline, answer["why"]
            time.sleep(0.02)
        assert answer["complete"]
