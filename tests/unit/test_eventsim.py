"""Eventsim configs: the keys that are used, the keys that are ignored, and errors."""

import json
from pathlib import Path
from typing import Any

import pytest

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_time
from crossfade.errors import MisuseError
from crossfade.generator.eventsim import IGNORED, SUPPORTED, EventsimConfig, read_eventsim

PAGE = (Path(__file__).parents[2] / "docs" / "eventsim.md").read_text("utf-8")
LIKE_THE_EXAMPLE: dict[str, Any] = {
    "seed": 1,
    "alpha": 90.0,
    "beta": 604_800.0,
    "damping": 0.09375,
    "weekend-damping": 0.5,
    "weekend-damping-offset": 180,
    "weekend-damping-scale": 360,
    "session-gap": 1800,
    "churned-state": "Cancelled",
    "show-user-details": [{"auth": "Guest", "show": False}],
    "levels": [{"level": "free", "weight": 10}, {"level": "paid", "weight": 2}],
    "auths": [{"auth": "Logged In", "weight": 10}],
    "new-session": [],
    "new-user-auth": "Guest",
    "new-user-level": "free",
    "upgrades": [],
    "downgrades": [],
    "transitions": [],
}


def read(tmp_path: Path, config: object) -> EventsimConfig:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(config), "utf-8")
    return read_eventsim(str(path))


def message(tmp_path: Path, config: object) -> str:
    with pytest.raises(MisuseError) as caught:
        read(tmp_path, config)
    assert caught.value.exit_code == 2
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{tmp_path}/", "")


def test_a_config_like_eventsims_example_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, LIKE_THE_EXAMPLE) == EventsimConfig(
        seed=1,
        paid_share=2 / 12,
        session_gap_ms=30 * MINUTE_MS,
        alpha=90.0,
        beta=604_800.0,
        ignored=(
            "damping",
            "weekend-damping",
            "weekend-damping-offset",
            "weekend-damping-scale",
            "churned-state",
            "show-user-details",
            "auths",
            "new-session",
            "new-user-auth",
            "upgrades",
            "downgrades",
            "transitions",
        ),
    )


def test_a_config_may_name_listeners_growth_and_times(tmp_path: Path) -> None:
    wishes = read(
        tmp_path,
        {
            "n-users": 1000.0,
            "growth-rate": 0.25,
            "start-date": "2015-06-01T00:00:00",
            "end-date": "2015-09-01T00:00:00.5",
            "first-user-id": 5,
            "tag": "control",
        },
    )
    assert wishes == EventsimConfig(
        listeners=1_000,
        growth=0.25,
        start_ms=parse_time("2015-06-01T00:00:00Z"),
        end_ms=parse_time("2015-09-01T00:00:00.5Z"),
        ignored=("first-user-id", "tag"),
    )


@pytest.mark.parametrize("config", [{}, dict.fromkeys(SUPPORTED)])
def test_absent_and_null_keys_are_none(config: dict[str, None], tmp_path: Path) -> None:
    assert read(tmp_path, config) == EventsimConfig()


def test_a_pause_between_sessions_is_the_gap_and_beta(tmp_path: Path) -> None:
    assert EventsimConfig().session_every_ms is None
    assert read(tmp_path, {"session-gap": 60}).session_every_ms is None
    assert read(tmp_path, {"beta": 86_400}).session_every_ms == DAY_MS + 30 * MINUTE_MS
    gap = {"beta": 1800.5, "session-gap": 1800}
    assert read(tmp_path, gap).session_every_ms == HOUR_MS + 500
    assert read(tmp_path, {"beta": 1, "session-gap": 0}).session_every_ms == 1_000


@pytest.mark.parametrize(
    ("config", "share"),
    [
        ({"new-user-level": "paid"}, 1.0),
        ({"new-user-level": "free"}, 0.0),
        ({"levels": [{"level": "paid", "weight": 3}], "new-user-level": "free"}, 1.0),
        ({"levels": [{"level": "free", "weight": 1}, {"level": "paid"}]}, 0.0),
        ({"levels": [{"level": name, "weight": 1} for name in ("free", "paid", "paid")]}, 2 / 3),
    ],
)
def test_the_weight_of_a_paid_level_is_its_share(
    config: dict[str, Any], share: float, tmp_path: Path
) -> None:
    assert read(tmp_path, config).paid_share == pytest.approx(share)


SECONDS = "Give a number of seconds, above 0 to 315,360,000."
GAP = "Give a number of seconds, from 0 to 315,360,000."
LEVELS = 'Give levels, free or paid, with weights: [{"level": "free", "weight": 10}].'
TIME = "Give a time such as 2015-06-01T00:00:00."


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("seed", -1, "seed is -1. Give a whole number of at least 0."),
        ("seed", 1.5, "seed is 1.5. Give a whole number of at least 0."),
        ("seed", True, "seed is true. Give a whole number of at least 0."),
        ("seed", 10**400, f"seed is 1{'0' * 59}. Give a whole number of at least 0."),
        ("n-users", 0, "n-users is 0. Give a whole number of at least 1."),
        ("n-users", "many", 'n-users is "many". Give a whole number of at least 1.'),
        (
            "growth-rate",
            -0.1,
            "growth-rate is -0.1. Give a share a year such as 0.01, from 0 to 100.",
        ),
        (
            "growth-rate",
            [1],
            "growth-rate is [1]. Give a share a year such as 0.01, from 0 to 100.",
        ),
        ("alpha", 0, f"alpha is 0. {SECONDS}"),
        ("beta", -1, f"beta is -1. {SECONDS}"),
        ("beta", float("nan"), f"beta is NaN. {SECONDS}"),
        ("beta", float("inf"), f"beta is Infinity. {SECONDS}"),
        ("session-gap", -1, f"session-gap is -1. {GAP}"),
        ("start-date", "June", f'start-date is "June". {TIME}'),
        ("end-date", 2015, f"end-date is 2015. {TIME}"),
        ("new-user-level", "gold", 'new-user-level is "gold". Give free or paid.'),
        ("new-user-level", ["paid"], 'new-user-level is ["paid"]. Give free or paid.'),
        ("levels", [], f"levels is []. {LEVELS}"),
        ("levels", "paid", f'levels is "paid". {LEVELS}'),
        ("levels", ["paid"], f'levels is ["paid"]. {LEVELS}'),
        ("levels", [{"level": []}], f'levels is [{{"level": []}}]. {LEVELS}'),
        ("levels", [{"level": "gold"}], f'levels is [{{"level": "gold"}}]. {LEVELS}'),
        ("levels", [{"level": "free"}], f'levels is [{{"level": "free"}}]. {LEVELS}'),
        (
            "levels",
            [{"level": "paid", "weight": -1}],
            f'levels is [{{"level": "paid", "weight": -1}}]. {LEVELS}',
        ),
    ],
)
def test_an_impossible_value_is_refused(
    key: str, value: object, expected: str, tmp_path: Path
) -> None:
    assert message(tmp_path, {key: value}) == f"site.json: {expected}"


def test_an_end_before_the_start_is_refused(tmp_path: Path) -> None:
    config = {"start-date": "2015-06-01", "end-date": "2015-06-01T00:00:00Z"}
    expected = 'site.json: end-date is "2015-06-01T00:00:00Z". Give a time after start-date.'
    assert message(tmp_path, config) == expected


def test_an_unknown_key_is_refused_with_the_nearest_right_one(tmp_path: Path) -> None:
    expected = 'site.json: unknown key "n_users". Did you mean "n-users"?'
    assert message(tmp_path, {"n_users": 5}) == expected
    line = message(tmp_path, {"zzz\n\ud800": 5})
    assert line.startswith(
        'site.json: unknown key "zzz\\n\\ud800". Known keys: seed, n-users, start-date, '
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{\n"seed": 1,,\n}', "site.json is not JSON: Expecting property name enclosed in "),
        (b'{"seed": "\xe4"}', "site.json is not JSON: 'utf-8' codec can't decode byte 0xe4 "),
        (b"[" * 100_000, "site.json is not JSON: maximum recursion depth exceeded"),
        (b"[]", "site.json is not an eventsim config. It must be a JSON object such as {"),
    ],
)
def test_a_file_that_is_not_a_config_is_refused(
    content: bytes, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "site.json"
    path.write_bytes(content)
    with pytest.raises(MisuseError) as caught:
        read_eventsim(str(path))
    line = str(caught.value).replace(f"{tmp_path}/", "")
    assert line.startswith(expected)
    assert ": line 2 column 11 " in line or b"\n" not in content


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError) as caught:
        read_eventsim(str(tmp_path / "none.json"))
    expected = "none.json: No such file or directory. Name an eventsim config that exists."
    assert str(caught.value) == f"Cannot read {tmp_path}/{expected}"


@pytest.mark.parametrize("key", SUPPORTED)
def test_every_supported_key_is_on_the_page(key: str) -> None:
    assert f"\n| `{key}` | " in PAGE.partition("## Keys that are ignored")[0]


@pytest.mark.parametrize("key", IGNORED)
def test_every_ignored_key_is_on_the_page_with_its_reason(key: str) -> None:
    assert f"\n| `{key}` | {IGNORED[key]} |\n" in PAGE
