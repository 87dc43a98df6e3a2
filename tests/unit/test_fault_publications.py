"""What batch owes after a fault that stopped it."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from crossfade.clock import format_time, now_ms
from fault import publications
from fault.live_bench import LiveBench
from fault.publications import Publications
from fault.report import Section


@dataclass
class _Bench:
    """As much of a running stack as is asked: its newest run, and whether it lives."""

    newest: dict[str, Any] = field(default_factory=dict)

    def publish(self, run: int) -> None:
        self.newest = {"run": run, "published_at": format_time(now_ms() + 2_000)}

    def published_run(self) -> int:
        return int(self.newest["run"])

    def newest_run(self) -> dict[str, Any]:
        return self.newest


def test_a_run_is_owed_until_one_is_published_after_the_stop() -> None:
    bench, section = _Bench(), Section("part")
    bench.publish(3)
    owing = Publications(cast("LiveBench", bench), section)
    assert not owing.is_owed

    owing.stop()
    assert owing.is_owed
    bench.newest = {}  # the API is away: no run of before may pass for one of after
    assert owing.is_owed
    bench.publish(4)
    assert not owing.is_owed

    owing.sum_up()
    row = section.rows["published"]
    assert row.holds
    assert row.summary().injected == 1


def test_a_run_that_does_not_come_in_time_fails_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, section = _Bench(), Section("part")
    bench.publish(3)
    owing = Publications(cast("LiveBench", bench), section)
    owing.stop()
    monkeypatch.setattr(publications, "_WITHIN_S", -1.0)
    owing.sum_up()
    assert not section.rows["published"].holds
