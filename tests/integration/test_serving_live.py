"""The API with a real broker: speed's rows appear in answers soon after they are sent."""

import base64
import time

import datasketches
import httpx
import pytest

from crossfade.clock import now_ms
from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.clients import open_producer
from crossfade.kafka.topics import PLAYS_BY_WINDOW, SONG_PLAYS, read_end_offsets
from crossfade.kafka.window_log import Marker
from support.api_server import api_client

pytestmark = pytest.mark.kafka


def _row(window: int, batch: int, plays: int) -> tuple[bytes, bytes]:
    sketch = datasketches.hll_sketch(10)
    sketch.update("user-1")
    listeners = base64.b64encode(sketch.serialize_compact()).decode()
    key = f'{{"g":"live","e":1,"w":{window},"k":["SE","live-song","Title","Artist",null,null]}}'
    value = f'{{"b":{batch},"p":{plays},"n":{plays},"m":60000,"l":"{listeners}"}}'
    return key.encode(), value.encode()


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
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for batch in range(1, 6):
            send(batch)
            while trend(client).get("live-song") != batch:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        while (answer := client.get("/api/v1/trending").json())["why"]:
            assert time.monotonic() < deadline, answer["why"]
            time.sleep(0.02)
        assert answer["complete"]
