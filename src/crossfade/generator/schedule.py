"""The records to send, in sending order: an audience's plays, changed by a scenario."""

import numpy as np

from crossfade.generator.effects import LOST, BotAccounts, Silences, Spikes
from crossfade.generator.faults import Fault, FaultFinder
from crossfade.generator.model import Audience
from crossfade.generator.options import Report
from crossfade.generator.outbox import Outbox, Sendings, as_sendings, join_sendings
from crossfade.generator.plays import Plays
from crossfade.generator.scenario import NO_SCENARIO, Scenario
from crossfade.generator.timekeeper import Timekeeper


class Schedule:
    """Produces the records to send, in order, in parts of any size.

    Args:
        audience: the listeners.
        scenario: what else happens; its times count from `begin`.
        faults: assigns faults to plays.
        seed: seed of the draws.
        begin: nothing is sent before this time; the audience may start earlier, so that plays
            which end after it are included.
        report: send plays when they begin, or when they end.
        timekeeper: keeps simulated time in step with the wall clock; None: not kept in step.
    """

    def __init__(
        self,
        audience: Audience,
        scenario: Scenario,
        faults: FaultFinder,
        *,
        seed: int,
        begin: int,
        report: Report,
        timekeeper: Timekeeper | None = None,
    ) -> None:
        self._audience = audience
        self._timekeeper = timekeeper
        self._report = report
        catalogue = audience.catalogue
        self._spikes = Spikes(scenario.spikes, catalogue, seed=seed, begin=begin)
        self._accounts = BotAccounts(scenario.bots, catalogue, seed=seed, begin=begin)
        self._silences = Silences(scenario.silences, begin=begin)
        self._faults = faults
        self.begin = begin
        """Nothing is sent before this simulated time."""
        self._is_plain = scenario == NO_SCENARIO and report is Report.START
        self._outbox = Outbox()
        self._current: Sendings | None = None
        self._taken = 0
        self._numbered = 0

    @property
    def farms(self) -> list[str]:
        """Return the names of the bot farms, by their number."""
        return self._accounts.names

    def take(self, at_most: int) -> Sendings | None:
        """Return the next records: at least one, perhaps fewer than asked; None at the end."""
        while self._current is None or self._taken == len(self._current):
            moment = self._audience.moment
            plays = self._audience.next_plays()
            if plays is None:
                return None
            self._current, self._taken = self._advance(plays, moment), 0
        end = min(self._taken + at_most, len(self._current))
        part = self._current.take(slice(self._taken, end))
        self._taken = end
        return part

    def _advance(self, plays: Plays, begin: int) -> Sendings | None:
        """Apply the scenario to the plays; return what is due before the audience's time."""
        if self._timekeeper is not None and begin >= self.begin:
            plays = self._timekeeper.keep(plays, begin)
        if self._is_plain:
            return as_sendings(plays)
        end = self._audience.moment
        played = self._accounts.play(begin, end, self._audience.sessions.utc_offsets)
        parts = [as_sendings(self._spikes.apply(plays))]
        parts += [as_sendings(bots, number) for number, bots in played]
        self._outbox.put(self._apply_faults(join_sendings(parts)))
        due = self._outbox.take_until(end)
        if due is not None and begin < self.begin:
            due = due.take(due.send_time >= self.begin)
        if due is not None:
            due = self._add_copies(due, end)
            self._numbered += len(due)
        return due

    def _add_copies(self, due: Sendings, end: int) -> Sendings:
        """Add the copies due before `end`; put the later ones into the outbox."""
        which = np.flatnonzero(due.fault == Fault.COPIED)
        if not len(which):
            return due
        originals = due.take(which)
        copies = originals.changed(
            send_time=originals.send_time + originals.extent,
            fault=np.full(len(which), Fault.COPY, np.int8),
        )
        is_soon = copies.send_time < end
        together = join_sendings([due, copies.take(is_soon)])
        order = np.argsort(together.send_time, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        number = self._numbered + place[which]
        self._outbox.put(copies.changed(copy_of=number).take(~is_soon))
        copy_of = np.concatenate([due.copy_of, number[is_soon]])
        return together.changed(copy_of=copy_of).take(order)

    def _apply_faults(self, sendings: Sendings) -> Sendings:
        """Assign faults and sending times; leave out lost records."""
        plays = sendings.plays
        send_time = plays.event_time
        fault, extent = sendings.fault, sendings.extent
        if not self._faults.is_idle:
            fault, extent = self._faults.mark(plays)
            waits = np.where(fault == Fault.OUT_OF_ORDER, extent, 0)
            is_late = fault == Fault.LATE
            send_time = np.where(is_late, self._faults.online_again(plays), send_time + waits)
            shift = np.where(is_late | (fault == Fault.CLOCK_BEHIND), -extent, 0)
            is_offline = plays.is_offline | is_late
            plays = plays.changed(event_time=plays.event_time + shift, is_offline=is_offline)
        if self._report is Report.END:
            send_time = send_time + plays.ms_played
        is_held, until = self._silences.held_until(sendings.plays)
        fault = np.where(is_held & (fault == Fault.NONE), Fault.SILENCED, fault).astype(np.int8)
        extent = np.where(fault == Fault.SILENCED, until - send_time, extent)
        send_time = np.where(is_held, np.maximum(send_time, until), send_time)
        # Counted from the sending time: counted from the start of a long play, reported at its
        # end, it might not be far enough ahead to be rejected.
        shown = np.where(fault == Fault.CLOCK_AHEAD, send_time + extent, plays.event_time)
        plays = plays.changed(event_time=shown)
        changed = sendings.changed(plays=plays, send_time=send_time, fault=fault, extent=extent)
        return changed.take(send_time < LOST)
