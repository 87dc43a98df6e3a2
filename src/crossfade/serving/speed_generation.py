"""One generation of speed: the windows and markers that one checkpoint wrote."""

from collections.abc import Mapping

from crossfade.contract.boundary import NO_BOUNDARY
from crossfade.kafka.window_log import Marker, WindowRow
from crossfade.serving.rollup import WindowRollup


class SpeedGeneration:
    """The rows and markers of one checkpoint of speed.

    `late` has each micro-batch's late plays and end offsets, so that a replay counts once. Windows
    that begin before `windows_from` may lack rows: the generation began later.
    """

    def __init__(self, born_at: int) -> None:
        self.born_at = born_at
        self.windows: dict[int, WindowRollup] = {}
        self.markers: dict[int, Marker] = {}
        self.late: dict[int, tuple[int, Mapping[int, int]]] = {}
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
        counted = max(marker.late, self.late.get(marker.batch, (0, {}))[0])
        if counted:
            self.late[marker.batch] = (counted, marker.end_offsets)
        known = self.markers.get(partition)
        if known is None or _order(marker) >= _order(known):
            self.markers[partition] = marker

    def marker(self, partitions: int) -> Marker | None:
        """Return the newest marker up to which every topic partition was read, if any."""
        if len(self.markers) < partitions:
            return None
        return min(self.markers.values(), key=_order, default=None)

    def forget_before(self, oldest: int, covered: Mapping[int, int]) -> None:
        """Forget windows before `oldest`, and late plays below the covered end offsets."""
        for start in [start for start in self.windows if start < oldest]:
            del self.windows[start]
        for batch, (_, ends) in list(self.late.items()):
            if reaches(covered, ends):
                del self.late[batch]


def reaches(end_offsets: Mapping[int, int], others: Mapping[int, int]) -> bool:
    """Check whether end offsets are at or beyond others in every topic partition."""
    return all(end_offsets.get(p, 0) >= end for p, end in others.items())


def _order(marker: Marker) -> tuple[int, int, int]:
    return marker.epoch, marker.batch, marker.sent_at
