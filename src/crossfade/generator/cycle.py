"""The daily and weekly cycle: how likely people are to listen, in each place's local time.

A place's intensity changes every half hour, with a mean of 1,000 over a week. Its integral is the
place's own time, which runs fast in the evening and slowly at night. Draws that are uniform in own
time follow the intensity (Cinlar 1975: the inversion of the cumulative rate).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from crossfade.clock import DAY_MS, MINUTE_MS, floor_to
from crossfade.generator.draws import Integers
from crossfade.generator.places import Places
from crossfade.generator.week import HALF_HOURS, WEEK, holidays_of

SLOT_MS = 30 * MINUTE_MS
FAR_MS = 1 << 62
"""A time later than any that a cycle covers."""

_MEAN = 1_000
_MONDAY = 3
"""Days from a Monday to 1970-01-01."""

_SUNDAY = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clocks:
    """The distinct local times: one per combination of time zone and holidays."""

    def __init__(self, places: Places) -> None:
        holidays = [holidays_of(places.countries[country]) for country in places.country.tolist()]
        kinds = list(zip(places.zones, holidays, strict=True))
        self.kinds = list(dict.fromkeys(kinds))
        index = {kind: number for number, kind in enumerate(self.kinds)}
        self.of_place = np.array([index[kind] for kind in kinds], np.int64)
        """The clock of each place."""
        shares = places.people[places.country] * places.citizens / _citizens_by_country(places)
        self.people = np.bincount(self.of_place, shares).astype(np.int64)
        """The number of people on each clock."""


class Cycle:
    """The intensity and own time of every clock over a range of time.

    Args:
        clocks: the distinct local times.
        begin: start of the range.
        end: end of the range, exclusive.
        is_steady: divide all intensities by the world's, so that all people together listen
            equally at any time.
    """

    def __init__(self, clocks: Clocks, begin: int, end: int, *, is_steady: bool) -> None:
        self.begin = floor_to(begin, SLOT_MS)
        slots = -(-(end - self.begin) // SLOT_MS)
        self.end = self.begin + slots * SLOT_MS
        edges = self.begin + SLOT_MS * np.arange(slots)
        self._offset = _offsets(clocks, edges)
        intensity = _intensities(clocks, edges, self._offset)
        if is_steady:
            world = (intensity * clocks.people[:, None]).sum(axis=0) // clocks.people.sum()
            intensity = np.maximum(intensity * _MEAN // np.maximum(world, 1), 1)
        self._intensity = intensity
        own = np.zeros((len(clocks.kinds), slots + 1), np.int64)
        np.cumsum(intensity * (SLOT_MS // _MEAN), axis=1, out=own[:, 1:])
        self._own = own
        marks = np.arange(int(own[:, -1].max()) // SLOT_MS + 1) * SLOT_MS
        self._slot_of_mark = np.stack(
            [np.searchsorted(one, marks, "right").astype(np.int32) - 1 for one in own]
        )

    def own_time(self, clock: Integers, time: Integers) -> Integers:
        """Return each clock's own time, in milliseconds since the start of this cycle."""
        slot, rest = np.divmod(time - self.begin, SLOT_MS)
        return self._own[clock, slot] + self._intensity[clock, slot] * rest // _MEAN

    def intensity(self, clock: Integers, time: Integers) -> Integers:
        """Return the speed of each clock's own time, in thousandths."""
        return self._intensity[clock, (time - self.begin) // SLOT_MS]

    def time_of(self, clock: Integers, own: Integers) -> Integers:
        """Return when each clock reaches an own time; `FAR_MS` if that is after this cycle."""
        last = self._own.shape[1] - 1
        mark = np.minimum(own // SLOT_MS, self._slot_of_mark.shape[1] - 1)
        slot = self._slot_of_mark[clock, mark].astype(np.int64)
        early = np.flatnonzero(self._own[clock, np.minimum(slot + 1, last)] <= own)
        while len(early := early[slot[early] < last]):
            slot[early] += 1
            following = np.minimum(slot[early] + 1, last)
            early = early[self._own[clock[early], following] <= own[early]]
        inside = np.minimum(slot, last - 1)
        missing = (own - self._own[clock, inside]) * _MEAN
        time = self.begin + inside * SLOT_MS - (-missing // self._intensity[clock, inside])
        return np.where(slot >= last, FAR_MS, time)

    def utc_offsets(self, clock: Integers, time: Integers) -> NDArray[np.int16]:
        """Return the minutes by which each clock is ahead of UTC."""
        return self._offset[clock, (time - self.begin) // SLOT_MS]


def _citizens_by_country(places: Places) -> Integers:
    return np.bincount(places.country, places.citizens).astype(np.int64)[places.country]


def _offsets(clocks: Clocks, edges: Integers) -> NDArray[np.int16]:
    """Return each clock's minutes ahead of UTC in each slot."""
    days = range(int(edges[0]) // DAY_MS, int(edges[-1]) // DAY_MS + 2)
    midnights = [_EPOCH + timedelta(days=day) for day in days]
    of_zone = {zone: _zone_offsets(zone, midnights, edges) for zone, _ in clocks.kinds}
    return np.stack([of_zone[zone] for zone, _ in clocks.kinds])


def _zone_offsets(zone: str, midnights: Sequence[datetime], edges: Integers) -> NDArray[np.int16]:
    """Look up the offset once per UTC day, and per slot on days on which it changes."""
    with files("tzdata.zoneinfo").joinpath(*zone.split("/")).open("rb") as file:
        info = ZoneInfo.from_file(file, key=zone)
    at_midnight = [_ahead(info, midnight) for midnight in midnights]
    first_day = (midnights[0] - _EPOCH).days
    day = edges // DAY_MS - first_day
    offsets = np.array(at_midnight, np.int16)[day]
    for number in np.flatnonzero(np.diff(at_midnight)).tolist():
        for slot in np.flatnonzero(day == number).tolist():
            moment = _EPOCH + timedelta(milliseconds=int(edges[slot]))
            offsets[slot] = _ahead(info, moment)
    return offsets


def _ahead(info: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(info).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) // 60


def _intensities(clocks: Clocks, edges: Integers, offsets: NDArray[np.int16]) -> NDArray[np.int64]:
    local = edges + offsets.astype(np.int64) * MINUTE_MS
    day, in_day = np.divmod(local, DAY_MS)
    weekday = (day + _MONDAY) % 7
    first, last = int(day.min()), int(day.max())
    for number, (_, holidays) in enumerate(clocks.kinds):
        if holidays:
            dates = [_EPOCH + timedelta(days=one) for one in range(first, last + 1)]
            is_holiday = np.array([(date.month, date.day) in holidays for date in dates])
            weekday[number][is_holiday[day[number] - first]] = _SUNDAY
    return np.array(WEEK, np.int64).reshape(7, HALF_HOURS)[weekday, in_day // SLOT_MS]
