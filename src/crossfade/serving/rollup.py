"""The rows of one window, rolled up by song, artist and country as they come in."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum

from datasketches import hll_sketch, hll_union

from crossfade.clock import utc_date
from crossfade.serving.merge import SKETCH_LG_K, Names, Totals
from crossfade.window_log import Grain, WindowRow, WindowValue


class By(StrEnum):
    """What rows are rolled up by; the names are those of gold/listeners' kinds."""

    SONG = "song"
    ARTIST = "artist"
    COUNTRY = "country"

    def key_of(self, grain: Grain) -> str:
        """Give the key that a row counts for."""
        if self is By.SONG:
            return grain.song_id
        return grain.artist if self is By.ARTIST else grain.country


class _Tally:
    """The sums of one key of one window, and which rows they are of."""

    __slots__ = ("counted_plays", "grains", "ms_played", "plays")

    def __init__(self) -> None:
        self.plays = 0
        self.counted_plays = 0
        self.ms_played = 0
        self.grains: list[Grain] = []


class WindowRollup:
    """One window of one generation of speed: each row's newest value, and sums of them."""

    def __init__(self, window_start: int) -> None:
        self._day = utc_date(window_start)
        self._rows: dict[Grain, tuple[int, WindowValue]] = {}
        self._tallies: dict[By, dict[str, _Tally]] = {by: defaultdict(_Tally) for by in By}
        self._waiting: dict[str, list[bytes]] = defaultdict(list)
        self._countries: dict[str, hll_union] = defaultdict(_new_union)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, row: WindowRow) -> None:
        """Put a row in place of an older one; the highest (epoch, batch) wins."""
        grain, value, epoch = row.key.grain, row.value, row.key.epoch
        held = self._rows.get(grain)
        if held is not None and (held[0], held[1].batch) > (epoch, value.batch):
            return
        self._rows[grain] = (epoch, value)
        old = held[1] if held is not None else _NOTHING
        for by, tallies in self._tallies.items():
            tally = tallies[by.key_of(grain)]
            tally.plays += value.plays - old.plays
            tally.counted_plays += value.counted_plays - old.counted_plays
            tally.ms_played += value.ms_played - old.ms_played
            if held is None:
                tally.grains.append(grain)
        waiting = self._waiting[grain.country]
        waiting.append(value.listeners)
        if len(waiting) >= _UNITED_AT_ONCE:
            self._unite_country(grain.country)

    def roll_up(self, by: By, country: str | None = None) -> dict[str, Totals]:
        """Give each key's measures, of one country alone if asked for."""
        if country is None or by is By.COUNTRY:
            return {
                key: Totals(tally.counted_plays, tally.counted_plays, tally.plays, tally.ms_played)
                for key, tally in self._tallies[by].items()
                if country in (None, key)
            }
        totals: dict[str, Totals] = {}
        for grain in self._grains(By.COUNTRY, country):
            value, key = self._rows[grain][1], by.key_of(grain)
            row = Totals(value.counted_plays, value.counted_plays, value.plays, value.ms_played)
            known = totals.get(key)
            totals[key] = row if known is None else known.plus(row)
        return totals

    def name(self, song_id: str) -> Names | None:
        """Give the names of a song in this window."""
        rows = ((grain, self._rows[grain][1].plays) for grain in self._grains(By.SONG, song_id))
        names = (Names(self._day, plays, grain.title, grain.artist) for grain, plays in rows)
        return max(names, default=None)

    def sketches(self, by: By, key: str, country: str | None = None) -> Iterator[bytes]:
        """Give what to unite for the listeners of a key."""
        if by is By.COUNTRY:
            if key in self._waiting or key in self._countries:
                yield self._unite_country(key)
            return
        for grain in self._grains(by, key):
            if country in (None, grain.country):
                yield self._rows[grain][1].listeners

    def _unite_country(self, country: str) -> bytes:
        """Unite only what came since the last time: a row's later sketch holds its earlier one."""
        union = self._countries[country]
        for sketch in self._waiting.pop(country, ()):
            union.update(hll_sketch.deserialize(sketch))
        return bytes(union.get_result().serialize_compact())

    def _grains(self, by: By, key: str) -> Iterable[Grain]:
        tally = self._tallies[by].get(key)
        return tally.grains if tally is not None else ()


def _new_union() -> hll_union:
    return hll_union(SKETCH_LG_K)


_UNITED_AT_ONCE = 1_000

_NOTHING = WindowValue(batch=-1, plays=0, counted_plays=0, ms_played=0, listeners=b"")
