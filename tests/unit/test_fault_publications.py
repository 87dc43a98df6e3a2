"""The run that batch must publish after a fault that stopped it."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from crossfade.clock import format_time, now_ms
from faults import publications
from faults.live_bench import LiveBench
from faults.publications import Publications
from faults.report import Section


@dataclass
class _Bench:
    """Stands for a running stack; it only has a newest run."""

    newest: dict[str, Any] = field(default_factory=dict)

    def publish(self, *, took_ms: int) -> None:
        self.newest = {"published_at": format_time(now_ms() + 2_000), "took_ms": took_ms}

    def newest_run(self) -> dict[str, Any]:
        return self.newest


def test_a_run_is_due_until_one_that_began_after_the_stop_is_published() -> None:
    bench, section = _Bench(), Section("part")
    pending = Publications(cast("LiveBench", bench), section)
    assert not pending.is_pending()

    pending.stop()
    assert pending.is_pending()  # the API does not answer
    bench.publish(took_ms=60_000)
    assert pending.is_pending()  # that one began before the stop
    bench.publish(took_ms=0)
    assert not pending.is_pending()

    pending.finish()
    row = section.rows["published"]
    assert row.holds
    assert row.summary().injected == 1


def test_a_run_that_does_not_come_in_time_fails_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    section = Section("part")
    pending = Publications(cast("LiveBench", _Bench()), section)
    pending.stop()
    monkeypatch.setattr(publications, "_WITHIN_S", -1.0)
    pending.finish()
    assert not section.rows["published"].holds
