"""The ledger's rows: what is known of each record before it is sent, and its right answer."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crossfade.contract.counting import COUNTED_AFTER_MS
from crossfade.contract.ledger import ExpectedVerdict, RecordKind
from crossfade.contract.reasons import Reason
from crossfade.generator.catalogue import Catalogue
from crossfade.generator.faults import BrokenRecord, Fault
from crossfade.generator.outbox import NO_BOT, NO_COPY, Sendings
from crossfade.generator.pieces import hex_texts
from crossfade.generator.places import read_places
from crossfade.generator.records import Records

_REJECTED = {
    Fault.CLOCK_SECONDS: Reason.EVENT_TIME_INVALID,
    Fault.CLOCK_AHEAD: Reason.EVENT_TIME_FUTURE,
    Fault.OVERSIZED: Reason.EVENT_TOO_LARGE,
}
_WAITS = (Fault.LATE, Fault.OUT_OF_ORDER, Fault.CLOCK_BEHIND, Fault.SILENCED)
_NO_PLAY = (Fault.MALFORMED, Fault.OVERSIZED)
_UNNAMED = (Fault.NONE, Fault.COPIED, Fault.COPY)
_KIND_OF = {
    Fault.COPY: RecordKind.COPY,
    Fault.MALFORMED: RecordKind.MALFORMED,
    Fault.OVERSIZED: RecordKind.OVERSIZED,
}


class RowWriter:
    """Describes the records of one run.

    Args:
        catalogue: its songs.
        broken: its broken records.
        farms: the names of its bot farms, by number.
        is_present: its plays are of the present, so that a clock ahead shows a future time.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        broken: tuple[BrokenRecord, ...],
        farms: list[str],
        is_present: bool,
    ) -> None:
        self._broken, self._is_present = broken, is_present
        self._song_ids = pa.array(catalogue.song_ids)
        places = read_places()
        self._countries = pa.array([places.countries[one] for one in places.country.tolist()])
        self._farms = pa.array([*farms, None], pa.string())
        named = [None if fault in _UNNAMED else fault.name.lower() for fault in Fault]
        self._faults = pa.array([*named, *(f"malformed: {one.name}" for one in broken)])
        self._kinds = pa.array([str(_KIND_OF.get(fault, RecordKind.PLAY)) for fault in Fault])
        self._reasons = pa.array([*(one.reason for one in broken), *Reason, None], pa.string())
        self._answers = pa.array([str(answer) for answer in ExpectedVerdict])

    def describe(self, records: Records) -> pa.Table:
        """Return a row per record, without its position in Kafka."""
        sendings = records.sendings
        plays, fault = sendings.plays, sendings.fault
        no_play = np.isin(fault, _NO_PLAY)
        answer, reason = self._judge(sendings)
        waits, is_bot = np.isin(fault, _WAITS), sendings.bot != NO_BOT
        event_ids = pc.binary_join_element_wise(records.run + "-", hex_texts(plays.play), "")
        columns = {
            "number": np.arange(records.first, records.first + len(records)),
            "kind": self._kinds.take(pa.array(fault)),
            "fault": self._faults.take(pa.array(self._number_faults(sendings))),
            "bot": self._farms.take(pa.array(np.where(is_bot, sendings.bot, len(self._farms) - 1))),
            "copy_of": pa.array(sendings.copy_of, mask=sendings.copy_of == NO_COPY),
            "late_by_ms": pa.array(sendings.extent, mask=~waits),
            "answer": self._answers.take(pa.array(answer)),
            "reason": self._reasons.take(pa.array(reason)),
            "event_id": _null_where(no_play, event_ids),
            "user_id": _null_where(no_play, hex_texts(plays.user)),
            "event_time": pa.array(plays.event_time, mask=no_play),
            "song_id": _null_where(no_play, self._song_ids.take(pa.array(plays.song))),
            "country": _null_where(no_play, self._countries.take(pa.array(plays.place))),
            "ms_played": pa.array(plays.ms_played, mask=no_play),
            "is_counted": pa.array(plays.ms_played >= COUNTED_AFTER_MS, mask=no_play),
        }
        return pa.table(columns)

    def _judge(self, sendings: Sendings) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
        """Return each record's right answer, and the index of its reason in `_reasons`."""
        fault = sendings.fault
        answers = list(ExpectedVerdict)
        answer = np.full(len(fault), answers.index(ExpectedVerdict.ACCEPTED), np.int8)
        answer[fault == Fault.COPY] = answers.index(ExpectedVerdict.DUPLICATE)
        reason = np.full(len(fault), len(self._reasons) - 1, np.int64)
        is_malformed = fault == Fault.MALFORMED
        reason[is_malformed] = sendings.extent[is_malformed]
        for kind, why in _REJECTED.items():
            if kind is not Fault.CLOCK_AHEAD or self._is_present:
                reason[fault == kind] = len(self._broken) + list(Reason).index(why)
        answer[reason < len(self._reasons) - 1] = answers.index(ExpectedVerdict.REJECTED)
        return answer, reason

    def _number_faults(self, sendings: Sendings) -> NDArray[np.int64]:
        """Return the index of each record's fault in `_faults`."""
        number = sendings.fault.astype(np.int64)
        return np.where(sendings.fault == Fault.MALFORMED, len(Fault) + sendings.extent, number)


def _null_where(missing: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(~missing), values, None) if missing.any() else values
