"""One generation of speed: the windows and markers that one checkpoint wrote."""

from collections.abc import Mapping
from typing import NamedTuple

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.kafka.window_log import Marker, WindowRow
from crossfade.serving.rollup import WindowRollup


class LatePlays(NamedTuple):
    """The late plays of one micro-batch: their number, also by UTC day; the newest event time."""

    plays: int
    by_day: Mapping[int, int]
    newest: int
    end_offsets: Mapping[int, int]

    def is_answered(self, boundary: int, covered: Mapping[int, int]) -> bool:
        """Check whether batch has read all of them, and owns the windows of all of them."""
        return self.newest < boundary and reaches(covered, self.end_offsets)


class SpeedGeneration:
    """The rows and markers of one checkpoint of speed.

    `late` has each micro-batch's late plays, so that a replay counts once. Windows that begin
    before `windows_from` may lack rows: the generation began later.
    """

    def __init__(self, born_at: int) -> None:
        self.born_at = born_at
        self.windows: dict[int, WindowRollup] = {}
        self.markers: dict[int, Marker] = {}
        self.late: dict[int, LatePlays] = {}
        self.dropped_before: int | None = None
        self.windows_from = NO_BOUNDARY

    def apply_row(self, row: WindowRow) -> bool:
        """Apply a row to its window; return whether it was newer than the row held."""
        start = row.key.window_start_ms
        window = self.windows.get(start)
        if window is None:
            window = self.windows[start] = WindowRollup(start)
        return window.apply(row)

    def apply_marker(self, marker: Marker, partition: int) -> None:
        """Apply a micro-batch's marker; a repeated one changes only its time."""
        if marker.dropped and marker.watermark is not None:
            self.dropped_before = max(self.dropped_before or 0, marker.watermark)
        if marker.windows_from is not None:
            self.windows_from = marker.windows_from
        held = self.late.get(marker.batch)
        if marker.late and (held is None or marker.late >= held.plays):
            newest = NO_BOUNDARY if marker.newest_late is None else marker.newest_late
            self.late[marker.batch] = LatePlays(
                marker.late, marker.late_by_day, newest, marker.end_offsets
            )
        known = self.markers.get(partition)
        if known is None or _order(marker) >= _order(known):
            self.markers[partition] = marker

    def marker(self, partitions: int) -> Marker | None:
        """Return the newest marker up to which every topic partition was read, if any."""
        if len(self.markers) < partitions:
            return None
        return min(self.markers.values(), key=_order, default=None)

    def forget_windows(self, oldest: int) -> None:
        """Forget the windows that begin before `oldest`."""
        for start in [start for start in self.windows if start < oldest]:
            del self.windows[start]

    def forget_late(self, boundary: int, covered: Mapping[int, int]) -> None:
        """Forget the late plays that batch answers with this boundary and these end offsets."""
        for batch in [n for n, late in self.late.items() if late.is_answered(boundary, covered)]:
            del self.late[batch]


def reaches(end_offsets: Mapping[int, int], others: Mapping[int, int]) -> bool:
    """Check whether end offsets are at or beyond others in every topic partition."""
    return all(end_offsets.get(p, 0) >= end for p, end in others.items())


def _order(marker: Marker) -> tuple[int, int, int]:
    return marker.epoch, marker.batch, marker.sent_at
