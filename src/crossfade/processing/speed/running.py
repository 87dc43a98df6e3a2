"""The running speed query with its markers; it can be restarted within the same process."""

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from crossfade.config import Settings
from crossfade.errors import StackError
from crossfade.folder import SPEED, DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.kafka.topics import SONG_PLAYS, topic_id
from crossfade.lake.binding import SpeedBinding, bind_speed, has_other_rules, tie_speed
from crossfade.lake.checkpoint import read_committed, require_metadata
from crossfade.processing.speed.job import WindowSink, first_marker, start_speed
from crossfade.processing.speed.markers import MarkerLog
from crossfade.processing.speed.renewal import (
    find_beginning,
    remove_generation,
    set_generation_aside,
)
from crossfade.processing.streams.lost_records import refuse_lost_records
from crossfade.stack.request_files import SPEED_RENEWAL_REQUEST
from crossfade.telemetry import get_logger

_log = get_logger("streams")


class RunningSpeed:
    """The speed query of one driver; the caller holds speed's lock the whole time."""

    def __init__(
        self, spark: SparkSession, folder: DataFolder, settings: Settings, address: KafkaAddress
    ) -> None:
        self._spark = spark
        self._folder = folder
        self._settings = settings
        self._address = address
        self._checkpoint = folder.checkpoints / SPEED
        self._markers: MarkerLog | None = None
        self._query: StreamingQuery | None = None

    def start(self) -> StreamingQuery:
        """Begin a new epoch: send the first marker, and start the query.

        If a renewal is pending, or the rules have changed, this is a new generation.

        Raises:
            DamagedError: the checkpoint cannot be read, or belongs to another query.
            LakeError: the checkpoint does not belong to this topic.
            BrokerError: Kafka is away, or no longer holds the next records to read.
        """
        topic = topic_id(self._address, SONG_PLAYS)
        if SPEED_RENEWAL_REQUEST.is_pending(self._folder) or has_other_rules(self._folder, topic):
            remove_generation(self._folder)
            SPEED_RENEWAL_REQUEST.take(self._folder)
        require_metadata(self._checkpoint)
        binding = self._bind(topic)
        session = self._spark.newSession()
        self._markers = MarkerLog(self._address, first_marker(self._checkpoint, binding))
        sink = WindowSink(session, self._folder, self._address, self._markers)
        self._query = start_speed(
            session,
            self._folder,
            self._settings,
            self._address,
            sink,
            first_offsets=binding.first_offsets,
        )
        tie_speed(self._folder, str(self._query.id))
        return self._query

    def stop(self) -> None:
        """Stop the query, and wait until its last marker is in Kafka, or has expired.

        Raises:
            StackError: the query does not stop.
        """
        query, self._query = self._query, None
        if query is not None:
            query.stop()
            if query.isActive:
                what = "Speed does not stop."
                raise StackError(what, "The next start begins its new generation.")
        if self._markers is not None:
            self._markers.close()
            self._markers = None

    def renew(self) -> StreamingQuery:
        """Begin a requested generation; readers use the old one until the new one has caught up."""
        _log.info("a new generation was requested", query=SPEED)
        self.stop()
        return self.start()

    def replace_damaged(self, why: str) -> StreamingQuery:
        """Set a damaged checkpoint aside and begin a new generation; no play is lost."""
        self.stop()
        aside = set_generation_aside(self._folder)
        _log.warning("a new generation begins", query=SPEED, why=why, old=str(aside))
        return self.start()

    def repeat_marker(self) -> None:
        """Send the newest marker again while the query has nothing to read."""
        query, markers = self._query, self._markers
        if query is not None and markers is not None and not query.status["isDataAvailable"]:
            markers.repeat()

    def _bind(self, topic: str) -> SpeedBinding:
        binding = bind_speed(
            self._folder,
            topic,
            lambda: find_beginning(self._folder, self._address),
        )
        reached = read_committed(self._checkpoint).end_offsets or binding.first_offsets
        refuse_lost_records(SPEED, reached, self._address)
        return binding
