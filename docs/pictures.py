"""Draw the pictures of docs/generator.md: a simulated audience's plays and the model's laws.

scripts/pictures runs this. Everything uses one seed, so the files change only with the model.
"""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crossfade.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, parse_time
from crossfade.generator.catalogue import ZIPF_OFFSET, catalogue_of, make_catalogue, zipf_weights
from crossfade.generator.catalogue_file import CatalogueRow
from crossfade.generator.habits import REST_MS
from crossfade.generator.heard import SKIPPED_EVER_PPM, SKIPPED_WITHIN_PPM
from crossfade.generator.model import Audience, Society
from crossfade.generator.places import read_places
from crossfade.generator.plays import Plays
from crossfade.generator.releases import age_permille
from crossfade.generator.week import WEEK

FOLDER = Path(__file__).parent / "pictures"
BEGIN = parse_time("2024-06-03")
DAYS = 14
SONGS = 20_000
LISTENERS = 100_000
PLAYS_A_DAY = 20
SETTLED_DAYS = 400
ZONES = ("Asia/Tokyo", "Asia/Kolkata", "Europe/Paris", "America/New_York")
COUNTRIES = ("IN", "CN", "US", "ID", "BR", "NG", "DE")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
LAW: dict[str, Any] = {"color": "#333333", "linewidth": 1, "linestyle": "--"}
ABOVE: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "ncols": 3}
TOP = 50
_WEEK_HOURS, _MONDAY_HOURS = 168, 72
_SKIP_SECONDS = 241


class Tally:
    """Counts the plays of two simulated weeks by song, country, hour and skip."""

    def __init__(self) -> None:
        self.catalogue = make_catalogue(1, SONGS)
        self.places = read_places()
        rate = LISTENERS * PLAYS_A_DAY / 86_400
        self._audience = Audience(
            Society(1, LISTENERS, rate), self.catalogue, begin=BEGIN, end=BEGIN + DAYS * DAY_MS
        )
        self.homes = self.places.country[self._audience.sessions._listeners.place]
        self.songs = np.zeros(SONGS, np.int64)
        self.by_country = np.zeros((len(COUNTRIES), SONGS), np.int64)
        self.local = np.zeros((len(ZONES), _WEEK_HOURS), np.int64)
        self.utc = np.zeros((len(ZONES), _WEEK_HOURS), np.int64)
        self.skipped = np.zeros(_SKIP_SECONDS, np.int64)
        self.plays = 0
        zones = np.array(self.places.zones)
        self._of_zone = [np.flatnonzero(zones == zone) for zone in ZONES]
        while (plays := self._audience.next_plays()) is not None:
            self._count(plays)

    def _count(self, plays: Plays) -> None:
        self.plays += len(plays)
        self.songs += np.bincount(plays.song, minlength=SONGS)
        country = self.places.country[plays.place]
        for row, code in enumerate(COUNTRIES):
            is_there = country == self.places.countries.index(code)
            self.by_country[row] += np.bincount(plays.song[is_there], minlength=SONGS)
        for row, places in enumerate(self._of_zone):
            kept = plays.take(np.isin(plays.place, places))
            local = kept.event_time + kept.utc_offset_min.astype(np.int64) * MINUTE_MS
            self.local[row] += _hours_of_week(local)
            self.utc[row] += _hours_of_week(kept.event_time)
        is_skipped = plays.ms_played < self.catalogue.duration_ms[plays.song]
        seconds = np.minimum(plays.ms_played[is_skipped] // SECOND_MS, _SKIP_SECONDS - 1)
        self.skipped += np.bincount(seconds, minlength=_SKIP_SECONDS)


def _hours_of_week(times: Any) -> Any:
    return np.bincount((times // HOUR_MS + _MONDAY_HOURS) % _WEEK_HOURS, minlength=_WEEK_HOURS)


def draw_popularity(axes: Axes, tally: Tally) -> None:
    """Draw how often songs of each rank are played, without songs of the last year."""
    [rank] = np.nonzero(BEGIN // DAY_MS - tally.catalogue.release_day > SETTLED_DAYS)
    edges = np.unique(np.geomspace(1, SONGS + 1, 60).astype(int))
    bins = np.digitize(rank + 1, edges)
    groups = [rank[bins == one] for one in np.unique(bins)]
    x = [float(group.mean()) + 1 for group in groups]
    share = [float(tally.songs[group].mean()) / tally.plays for group in groups]
    weights = zipf_weights(SONGS) * (tally.catalogue.release_day <= BEGIN // DAY_MS)
    law = np.array([float(weights[group].mean()) for group in groups]) / weights.sum()
    axes.loglog(x, share, "o", color=COLOURS[0], markersize=4, label="played")
    axes.loglog(x, law, label=f"law: (rank + {ZIPF_OFFSET})$^{{-7/8}}$", **LAW)
    axes.set(xlabel="rank of the song", ylabel="share of all plays")


def draw_gaps(axes: Axes, _tally: Tally) -> None:
    """Draw the gaps after one session each of many listeners, in their place's own time."""
    society = Society(1, LISTENERS, LISTENERS * 40 / 86_400)
    sessions = Audience(society, make_catalogue(1, 50), begin=BEGIN).sessions
    habits = sessions._habits
    left = sessions._epoch_end - sessions.end
    seats = np.flatnonzero(~sessions.is_between & (left > 20 * habits.gap + DAY_MS))
    clock = sessions._clocks.of_place[sessions._listeners.place[seats]]
    over = sessions._cycle.own_time(clock, sessions.end[seats] + REST_MS)
    sessions.open_next(seats)
    is_open = ~sessions.is_between[seats]
    gap = sessions._cycle.own_time(clock, sessions.due[seats]) - over
    logs = np.log(gap[is_open] / habits.gap[seats][is_open])
    counts, edges = np.histogram(logs, bins=np.arange(-4, 4.01, 0.2), density=True)
    middles = (edges[:-1] + edges[1:]) / 2
    axes.bar(np.exp(middles), counts, np.diff(np.exp(edges)), color=COLOURS[0], alpha=0.6)
    axes.plot(np.exp(middles), np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi), **LAW)
    axes.legend(["law: log-normal, sigma 1", f"{len(logs):,} gaps"], frameon=False)
    axes.set(xscale="log", xlabel="gap beyond 45 minutes, in medians of the listener's gaps")
    axes.set_ylabel("density of the logarithm")


def draw_days(axes: Axes, tally: Tally) -> None:
    """Draw the plays of working days by UTC hour."""
    for row, zone in enumerate(ZONES):
        day = tally.utc[row, :120].reshape(5, 24).sum(axis=0)
        axes.plot(np.arange(24) + 0.5, day / day.mean(), color=COLOURS[row], label=zone)
    axes.set(xlabel="hour of a working day, UTC", ylabel="plays, mean = 1", xticks=range(0, 25, 3))


def draw_week(axes: Axes, tally: Tally) -> None:
    """Draw the plays of a week by local time; a session's plays come after its start."""
    hours = np.arange(_WEEK_HOURS) + 0.5
    for row, zone in enumerate(ZONES):
        week = tally.local[row]
        axes.plot(hours / 24, week / week.mean(), color=COLOURS[row], linewidth=1, label=zone)
    law = np.array(WEEK).reshape(_WEEK_HOURS, 2).mean(axis=1)
    axes.plot(hours / 24, law / law.mean(), label="law", **LAW)
    axes.set(xlabel="local time", ylabel="plays, mean = 1", xticks=range(8))
    axes.set_xticklabels(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", ""], ha="left")


def draw_skips(axes: Axes, tally: Tally) -> None:
    """Draw the share of plays that is skipped within each second."""
    share = np.cumsum(tally.skipped)[:-1] / tally.plays
    axes.plot(np.arange(1, _SKIP_SECONDS), share, color=COLOURS[0], label="skipped by then")
    for end, ppm in SKIPPED_WITHIN_PPM.items():
        axes.plot(end / SECOND_MS, ppm / 1e6, "o", color=COLOURS[1])
        text = f"{ppm / 1e4:.2f} % within {end // SECOND_MS} s"
        axes.annotate(text, (end / SECOND_MS + 4, ppm / 1e6 - 0.02))
    axes.axhline(SKIPPED_EVER_PPM / 1e6, label=f"{SKIPPED_EVER_PPM / 1e4:.1f} % ever", **LAW)
    axes.set(xlabel="seconds since the song began", ylabel="share of all plays", ylim=(0, 0.55))


def draw_countries(axes: Axes, tally: Tally) -> None:
    """Draw the number of listeners of each country against its population."""
    listeners = np.bincount(tally.homes, minlength=len(tally.places.people))
    is_seen = listeners >= 20
    people = tally.places.people[is_seen] / 1e6
    axes.loglog(
        people,
        listeners[is_seen],
        ".",
        color=COLOURS[0],
        label="a country with 20 listeners or more",
    )
    ends = np.array([people.min(), people.max()])
    law = LISTENERS * ends / (tally.places.people.sum() / 1e6)
    axes.loglog(ends, law, label="law: in proportion", **LAW)
    axes.set(xlabel="people, in millions", ylabel=f"of {LISTENERS:,} listeners")


def draw_favourites(axes: Axes, tally: Tally) -> None:
    """Draw how many of their 50 most played songs two countries share."""
    tops = [set(row.argsort()[-TOP:].tolist()) for row in tally.by_country]
    shared = np.array([[len(one & other) for other in tops] for one in tops])
    axes.pcolormesh(shared, cmap="Blues", vmin=0, vmax=TOP * 1.3)
    for row, values in enumerate(shared.tolist()):
        for column, value in enumerate(values):
            axes.text(column + 0.5, row + 0.5, str(value), ha="center", va="center")
    ticks = np.arange(len(COUNTRIES)) + 0.5
    axes.set(xticks=ticks, yticks=ticks, xticklabels=COUNTRIES, yticklabels=COUNTRIES)
    axes.set(aspect="equal", title=f"songs in common of the {TOP} most played in each country")
    axes.tick_params(length=0)
    axes.invert_yaxis()


def draw_release(axes: Axes, _tally: Tally) -> None:
    """Draw the plays of a new song, relative to 49 old songs of the same final popularity."""
    released, days = 10, 90
    rest = (None, None, None, 180_000, 100, None)
    rows = [
        CatalogueRow(name, "artist", name, *rest, None if number else day, None, None)
        for number, day in enumerate([BEGIN // DAY_MS + released] + [None] * 49)
        for name in [f"song {number}"]
    ]
    songs = catalogue_of(1, 50, rows)
    new, others = np.zeros(days), np.zeros(days)
    society = Society(1, 8_000, 8_000 * PLAYS_A_DAY / 86_400)
    audience = Audience(society, songs, begin=BEGIN, end=BEGIN + days * DAY_MS)
    audience._step = DAY_MS
    while (plays := audience.next_plays()) is not None:
        is_new = plays.song == songs.song_ids.index("song 0")
        day = int((audience.moment - BEGIN) // DAY_MS) - 1
        new[day], others[day] = is_new.sum(), (~is_new).sum() / 49
    age = np.arange(days) - released
    axes.plot(age, new / others, ".", color=COLOURS[0], label="played")
    axes.step(age, age_permille(age) / 1_000, where="mid", label="law", **LAW)
    axes.set(xlabel="days since the release", ylabel="plays; in the end 1")


DRAWERS: tuple[Callable[[Axes, Tally], None], ...] = (
    *(draw_popularity, draw_gaps, draw_days, draw_week),
    *(draw_skips, draw_countries, draw_favourites, draw_release),
)


def main() -> None:
    """Draw every picture."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "crossfade", "svg.fonttype": "none"})
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    FOLDER.mkdir(exist_ok=True)
    tally = Tally()
    for draw in DRAWERS:
        name = draw.__name__.removeprefix("draw_")
        figure, axes = plt.subplots(figsize=(6, 5) if name == "favourites" else (7, 3.5))
        draw(axes, tally)
        if axes.get_legend_handles_labels()[0] and axes.get_legend() is None:
            axes.legend(frameon=False, **(ABOVE if name in ("days", "week") else {}))
        axes.minorticks_off()
        figure.tight_layout()
        _save(figure, FOLDER / f"{name}.svg")
        plt.close(figure)


def _save(figure: Figure, path: Path) -> None:
    """Write a picture without a date and trailing spaces, so that bytes are reproducible."""
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None}, facecolor="white")
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]
    path.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
