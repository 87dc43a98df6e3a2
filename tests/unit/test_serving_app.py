"""The API over HTTP: a real server on a free port, handmade gold, no reachable Kafka."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import jsonschema
import msgspec
import pytest

from crossfade.config import load_settings
from crossfade.contract.decode import encode_play
from crossfade.errors import MisuseError
from crossfade.folder import DataFolder, StackAddresses, open_folder, write_atomically, write_stack
from crossfade.kafka.address import KafkaAddress
from crossfade.serving.ranges import check_country
from crossfade.stack.supervisor import ChildState
from support import handmade_lake as handmade
from support.api_server import api_client
from support.handmade_broker import write_broker_log

BOUNDARY = handmade.NOON + 3_600_000
REJECTED = (b"x" * 5_000, b"\xff", encode_play(handmade.a_play(99, song_id="")))
NO_KAFKA = KafkaAddress("127.0.0.1:9")


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = open_folder(load_settings(data=tmp_path_factory.mktemp("serving") / "data"))
    plays = [handmade.a_play(n) for n in range(8)]
    records = handmade.records_of(*plays)
    for offset, value in enumerate(REJECTED):
        records.append(handmade.Record(2, offset, value, handmade.NOON + offset))
    lake = handmade.a_lake(records, boundary=BOUNDARY)
    lake.tables["ops/handover"] = [
        {
            "run": 1,
            "window_start": handmade.NOON,
            "speed_plays": 8,
            "batch_plays": 8,
            "repeated_plays": 0,
            "verdict": "equal",
            "compared_at": BOUNDARY,
        }
    ]
    write_broker_log(folder, lake.tables["gold/run"][-1]["end_offsets"])
    return lake.write(folder)


@pytest.fixture(scope="module")
def client(gold: DataFolder) -> Iterator[httpx.Client]:
    with api_client(gold, None) as client:
        deadline = time.monotonic() + 10
        while client.get("/api/v1/status").json()["batch"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield client


@pytest.mark.parametrize(
    "path",
    [
        *("trending", "charts/songs", "charts/artists", "geography", "status", "reconciliation"),
        "rejected",
    ],
)
@pytest.mark.parametrize("query", ["", "?country=SE", "?limit=0"])
def test_every_answer_has_the_shape_in_openapi(client: httpx.Client, path: str, query: str) -> None:
    response = client.get(f"/api/v1/{path}{query}")
    api = client.get("/openapi.json").json()
    documented = api["paths"][f"/api/v1/{path}"]["get"]["responses"][str(response.status_code)]
    schema = documented["content"]["application/json"]["schema"]
    jsonschema.validate(response.json(), schema | {"components": api["components"]})


def test_a_range_is_answered_with_its_rows(client: httpx.Client) -> None:
    query = {"from": "2026-01-01T12:00:00Z", "to": "2026-01-01T13:00:00Z"}
    answer = client.get("/api/v1/charts/songs", params=query).json()
    assert [row["plays"] for row in answer["rows"]] == [2, 2, 2, 2]
    assert (answer["complete"], answer["why"]) == (True, "")
    assert (answer["from"], answer["to"]) == (query["from"], query["to"])
    row = answer["rows"][0]
    assert list(row) == [
        *("rank", "song_id", "title", "artist", "charted_plays", "counted_plays", "plays"),
        *("minutes", "listeners"),
    ]
    assert client.get("/api/v1/geography", params=query).json()["rows"][0]["country"] == "SE"


@pytest.mark.parametrize(
    "path",
    [
        "trending?limit=0",
        "trending?limit=1001",
        "trending?limit=many",
        "trending?month=2019-06",
        "trending?country=se",
        "trending?country=%27%3B--",
        "trending?country=UK",
        "trending?country=",
        "geography?country=EU",
        "charts/songs?country=SE&country=XX",
        "trending?limits=5",
        "charts/songs?limit=1001",
        "charts/songs?limit=-1",
        "charts/songs?all_time=perhaps",
        "charts/songs?day=",
        "charts/songs?month=2019-13",
        "charts/songs?month=2019-06&year=2019",
        "charts/songs?week=2019-06-27",
        "charts/songs?from=2026-01-01T12:03:00Z",
        "charts/songs?from=2025-06-01T12:00:00Z&to=2026-01-01",
        "charts/songs?from=2026-01-01&to=2026-01-01",
        "charts/songs?from=1950-01-01",
        "charts/songs?to=9999-12-31T23:59:59.999Z",
        "charts/songs?from=0001-01-01T00:00:00%2B23:00",
        "charts/songs?day=" + "9" * 5_000,
        "geography?unknown=1",
        "status?unknown=1",
        "rejected?reason=countri_invalid",
        "rejected?limit=0",
    ],
)
def test_an_impossible_parameter_is_refused_in_the_error_shape(
    client: httpx.Client, path: str
) -> None:
    response = client.get(f"/api/v1/{path}")
    assert response.status_code == 422
    assert response.json().keys() == {"error", "hint", "status"}
    assert response.json()["status"] == 422


def test_a_missing_resource_is_refused_in_the_error_shape(client: httpx.Client) -> None:
    for response in (client.get("/api/v1/nothing"), client.post("/api/v1/trending")):
        assert response.json().keys() == {"error", "hint", "status"}
        assert response.json()["status"] == response.status_code


def test_a_country_is_refused_as_the_command_line_refuses_it(client: httpx.Client) -> None:
    for path in ("trending", "charts/songs", "charts/artists", "geography"):
        answer = client.get(f"/api/v1/{path}", params={"country": "UK"})
        with pytest.raises(MisuseError) as refused:
            check_country("UK")
        assert answer.status_code == 422
        assert answer.json()["error"] == refused.value.what == '"UK" is not a country.'
        assert answer.json()["hint"] == refused.value.cure


PAGES = ("/", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics")


def test_every_path_answers_head_as_get_without_a_body(client: httpx.Client) -> None:
    api = client.get("/openapi.json").json()
    for path in {*api["paths"], *PAGES, "/api/v1/charts/songs?month=2019-13", "/nothing"}:
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        names = set(get.headers) - {"date", "content-length"}
        assert {name: head.headers[name] for name in names} == {
            name: get.headers[name] for name in names
        }
        assert "content-length" in head.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has(
    client: httpx.Client, method: str
) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/api/v1/status", "/openapi.json"):
        response = client.request(method, path)
        assert response.status_code == 405
        assert response.headers["allow"] == "GET, HEAD"
        assert response.json()["status"] == 405


def _ask_from_page(client: httpx.Client, origin: str) -> tuple[httpx.Response, httpx.Response]:
    """Return the responses to a browser's preflight request and to its request."""
    asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = client.options("/api/v1/status", headers=asks)
    return preflight, client.get("/api/v1/status", headers={"Origin": origin})


def test_no_page_of_another_origin_may_read_answers_by_default(client: httpx.Client) -> None:
    for response in _ask_from_page(client, "https://example.org"):
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        (["https://example.org"], "https://example.org", "https://example.org"),
        (["https://other.example", "http://127.0.0.1:3000"], "http://127.0.0.1:3000", None),
        (["https://example.org"], "https://example.com", ""),
        (["https://example.org"], "http://example.org", ""),
        (["*"], "https://example.com", "*"),
    ],
)
def test_pages_of_allowed_origins_may_read_answers(
    gold: DataFolder, cors: list[str], origin: str, allowed: str | None
) -> None:
    with api_client(gold, None, cors=cors) as client:
        for response in _ask_from_page(client, origin):
            found = response.headers.get("access-control-allow-origin", "")
            assert found == (origin if allowed is None else allowed)
            assert "access-control-allow-credentials" not in response.headers


def test_a_week_refused_names_the_nearest_friday(client: httpx.Client) -> None:
    response = client.get("/api/v1/charts/songs", params={"week": "2019-06-27"})
    assert "2019-06-28" in response.json()["hint"]


def test_reconciliation_returns_hand_overs_and_the_newest_run(client: httpx.Client) -> None:
    answer = client.get("/api/v1/reconciliation").json()
    assert answer["verdicts"] == {"equal": 1}
    assert answer["holds"]
    assert answer["run"]["accepted"] == 8
    assert answer["rows"][0]["window_start"] == "2026-01-01T12:00:00Z"


def test_rejected_records_are_listed_newest_first_with_their_bytes(
    client: httpx.Client,
) -> None:
    answer = client.get("/api/v1/rejected").json()
    assert answer["by_reason"] == {"song_id_invalid": 1, "encoding_invalid": 1, "json_syntax": 1}
    assert (answer["boundary"], answer["as_of"]) == ("2026-01-01T13:00:00Z", "2026-01-01T12:00:00Z")
    country, encoding, syntax = answer["rows"]
    assert (country["partition"], country["offset"]) == (2, 2)
    assert country["detail"].startswith("song_id must be")
    assert country["value"] == REJECTED[2].decode()
    assert encoding["value_base64"] == "/w=="
    assert (syntax["value"], syntax["bytes"]) == ("x" * 4_096, 5_000)
    few = client.get("/api/v1/rejected", params={"reason": "json_syntax", "limit": 1}).json()
    assert few["rows"] == [syntax]
    assert few["by_reason"] == answer["by_reason"]


def test_metrics_cover_layers_and_requests(client: httpx.Client) -> None:
    client.get("/api/v1/trending")
    text = client.get("/metrics").text
    assert "crossfade_batch_run 1.0" in text
    assert 'path="/api/v1/trending",status="200"' in text


def test_pages_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    for path in ("/", "/docs"):
        response = client.get(path)
        assert response.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "//" not in response.text.replace("<!--", "")
        assert "innerHTML" not in response.text


def test_every_route_and_parameter_has_a_text_and_an_example(client: httpx.Client) -> None:
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for route in methods.values():
            assert " " in route["summary"], path
            for parameter in route.get("parameters", ()):
                schema = parameter["schema"]
                assert schema["description"].endswith("."), (path, parameter["name"])
                [example] = schema["examples"]
                answer = client.get(path, params={parameter["name"]: example})
                assert answer.status_code == 200, answer.text


def test_every_route_is_in_the_api_page(client: httpx.Client) -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    api = client.get("/openapi.json").json()
    for path in [*api["paths"], "/docs"]:
        assert f"`{path}`" in page, path
    parameters = {
        parameter["name"]
        for route in api["paths"].values()
        for parameter in route["get"].get("parameters", ())
    }
    for name in parameters:
        assert f"`{name}`" in page, name


def test_it_answers_immediately_before_kafka_and_gold_exist(data_folder: DataFolder) -> None:
    with api_client(data_folder, NO_KAFKA) as client:
        assert client.get("/healthz").json() == {"status": "up"}
        assert client.get("/readyz").status_code == 503
        answer = client.get("/api/v1/trending").json()
        assert (answer["rows"], answer["complete"], answer["boundary"]) == ([], False, None)
        assert answer["why"]
        json.dumps(client.get("/api/v1/status").json())
        rejected = client.get("/api/v1/rejected").json()
        assert rejected == {"rows": [], "by_reason": {}, "boundary": None, "as_of": None}


@pytest.fixture
def running_stack(gold: DataFolder) -> Iterator[DataFolder]:
    """Make a stack appear to run on the folder, so that its state files count."""
    write_stack(gold, StackAddresses(os.getpid(), "2026-01-01T00:00:00Z", "127.0.0.1:1", "x"))
    yield gold
    for path in (gold.root / "stack.json", gold.run / "door.json", gold.run / "children.json"):
        path.unlink(missing_ok=True)


def test_a_closed_door_is_reported_by_readiness_status_and_metrics(
    client: httpx.Client, running_stack: DataFolder
) -> None:
    door = running_stack.run / "door.json"
    door.parent.mkdir(exist_ok=True)
    door.write_text('{"is_open": false, "since_ms": 1, "why": "The disk of x is nearly full."}')
    refused = client.get("/readyz")
    assert refused.status_code == 503
    assert refused.json()["error"] == "The disk of x is nearly full."
    assert client.get("/api/v1/status").json()["plays_refused"] == "The disk of x is nearly full."
    assert "crossfade_plays_refused 1.0" in client.get("/metrics").text
    assert client.get("/api/v1/charts/songs").status_code == 200
    door.unlink()
    assert client.get("/readyz").status_code == 200
    assert "crossfade_plays_refused 0.0" in client.get("/metrics").text


def test_an_alarm_is_reported_by_status_and_metrics(
    client: httpx.Client, running_stack: DataFolder
) -> None:
    child = ChildState("streams", "waiting", None, None, 3, "x.log", "speed, micro-batch 7: failed")
    children = running_stack.run / "children.json"
    write_atomically(children, msgspec.json.encode([child]))
    alarms = client.get("/api/v1/status").json()["alarms"]
    assert alarms == {"streams": "speed, micro-batch 7: failed"}
    assert 'crossfade_alarm{process="streams"} 1.0' in client.get("/metrics").text
