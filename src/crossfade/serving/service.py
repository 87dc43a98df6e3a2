"""What the API reads of one data folder: snapshots of batch, and the state of speed."""

from collections.abc import Mapping

from crossfade.clock import now_ms
from crossfade.folder import DataFolder, read_stack
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.log_files import read_embedded_ends
from crossfade.serving.answer_cache import AnswerCache
from crossfade.serving.answers import Answer, RankedRow, RequestView
from crossfade.serving.queries import RangeQuery
from crossfade.serving.ranges import AskedRange, read_range
from crossfade.serving.snapshot import Snapshot, SnapshotWatcher
from crossfade.serving.window_reader import WindowReader
from crossfade.serving.window_state import WindowState


class Service:
    """Serves one data folder: watches batch, and reads speed if Kafka's address is known.

    `batch_every_ms` is the interval between runs of batch while a stack runs on the folder.
    """

    def __init__(
        self, folder: DataFolder, address: KafkaAddress | None, batch_every_ms: int | None = None
    ) -> None:
        self.folder = folder
        self._batch_every_ms = batch_every_ms
        self._is_batch_scheduled = False
        self._kafka_ends: Mapping[int, int] | None = None
        self._rules = folder.time_rules
        self._cache: AnswerCache[list[RankedRow]] = AnswerCache()
        self._status_cache: AnswerCache[Answer] = AnswerCache()
        self._state = WindowState() if address is not None else None
        self._watcher = SnapshotWatcher(folder, self._note_poll)
        self._reader = (
            WindowReader(address, self._state, self._rules, self._find_boundary)
            if address is not None and self._state is not None
            else None
        )

    @property
    def is_ready(self) -> bool:
        """Check whether gold was polled, and speed's records from before the start were read."""
        is_speed_read = self._state is None or self._state.status(now_ms()).is_ready
        return self._watcher.has_polled and is_speed_read

    def start(self) -> None:
        """Start watching and reading in the background."""
        self._watcher.start()
        if self._reader is not None:
            self._reader.start()

    def stop(self) -> None:
        """Stop watching and reading."""
        if self._reader is not None:
            self._reader.stop()
        self._watcher.stop()

    def view(self) -> RequestView:
        """Return what one request reads."""
        return RequestView(
            self._watcher.current,
            self._state,
            self._rules,
            now_ms(),
            self._cache,
            self._status_cache,
            self._batch_every_ms if self._is_batch_scheduled else None,
            self._kafka_ends,
        )

    def read_range(self, query: RangeQuery) -> AskedRange:
        """Read the range of a query."""
        return read_range(query.range_texts, now=now_ms(), rules=self._rules)

    def _find_boundary(self) -> int:
        """Return the boundary to read speed from; this can be the first poll of gold."""
        self._watcher.try_refresh()
        return self._watcher.current.boundary

    def _note_poll(self, before: Snapshot) -> None:
        """Forget what batch answers in the previous snapshot: requests may still need the rest."""
        if self._state is not None and before.run is not None:
            self._state.forget_before(before.boundary, before.run.end_offsets)
        self._is_batch_scheduled = read_stack(self.folder) is not None
        if self._state is None:
            self._kafka_ends = read_embedded_ends(self.folder)
