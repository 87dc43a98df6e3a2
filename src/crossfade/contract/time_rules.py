"""The durations that both layers use (docs/adr/0003-boundary-needs-nothing-from-speed.md)."""

from dataclasses import dataclass

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, floor_to
from crossfade.errors import MisuseError

FUTURE_MS = 5 * MINUTE_MS
"""F: a record whose event time is further ahead of its log time than this is rejected."""


@dataclass(frozen=True, slots=True)
class TimeRules:
    """Grain G, lateness D and clock slack epsilon of one data folder, in milliseconds."""

    grain_ms: int = 10 * MINUTE_MS
    late_after_ms: int = 30 * MINUTE_MS
    clock_slack_ms: int = SECOND_MS

    def __post_init__(self) -> None:
        """Refuse a grain that does not divide an hour, and values out of range."""
        if self.grain_ms < SECOND_MS or HOUR_MS % self.grain_ms:
            what = f"A grain of {self.grain_ms} ms does not divide an hour."
            raise MisuseError(what, "Choose one such as 10s, 1m, 5m, 10m or 1h.")
        if not 0 <= self.late_after_ms <= DAY_MS or not 0 <= self.clock_slack_ms <= HOUR_MS:
            what = "late_after must be within a day and clock_slack within an hour."
            raise MisuseError(what, "Choose smaller ones.")

    @property
    def watermark_delay_ms(self) -> int:
        """Return D + F + 2 G: how far Spark's watermark stays behind the newest window's end.

        With this delay, the watermark evicts only windows that no play on time can still change.
        One grain is a margin for partitions that are read at different speeds.
        """
        return self.late_after_ms + FUTURE_MS + 2 * self.grain_ms

    def is_on_time(self, event_time_ms: int, log_time_ms: int) -> bool:
        """Check whether speed counts an accepted record; only its two times matter."""
        return log_time_ms - self.late_after_ms <= event_time_ms <= log_time_ms + FUTURE_MS

    def window_start(self, event_time_ms: int) -> int:
        """Return the start of the window that contains an event time."""
        return floor_to(event_time_ms, self.grain_ms)

    def boundary_of(self, horizon_ms: int) -> int:
        """Return floor_G(H - D - epsilon), the end of the last window complete at horizon H."""
        return floor_to(horizon_ms - self.late_after_ms - self.clock_slack_ms, self.grain_ms)
