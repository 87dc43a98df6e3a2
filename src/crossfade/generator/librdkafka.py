"""A producer that passes columns of records to librdkafka, with one call per batch.

It opens the library inside confluent-kafka a second time (docs/adr/0011), to avoid a Python object
per record.
"""

import ctypes
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from crossfade.errors import BrokerError, MachineError
from crossfade.generator.draws import Integers

QUEUE_FULL = -184
"""librdkafka's code for a record refused because its queue is full."""

_PRODUCER = 0
_COPY = 2
_TEXT_BYTES = 512
_OK = 0

_MESSAGE = np.dtype(
    [
        ("err", np.int32),
        ("_after_err", np.int32),
        ("topic", np.uint64),
        ("partition", np.int32),
        ("_after_partition", np.int32),
        ("payload", np.uint64),
        ("length", np.uint64),
        ("key", np.uint64),
        ("key_length", np.uint64),
        ("offset", np.int64),
        ("private", np.uint64),
    ]
)
"""`rd_kafka_message_t` on a 64-bit machine."""


class _Message(ctypes.Structure):
    _fields_ = (
        ("err", ctypes.c_int32),
        ("topic", ctypes.c_void_p),
        ("partition", ctypes.c_int32),
        ("payload", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("key", ctypes.c_void_p),
        ("key_length", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("private", ctypes.c_void_p),
    )


_DeliveryCallback = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.POINTER(_Message), ctypes.c_void_p
)

OnDelivery = Callable[[int, int, int, int], None]
"""Takes a record's number, librdkafka's code (0: acknowledged), partition and offset."""


class ColumnProducer:
    """Produces to one topic.

    Args:
        topic: its name.
        config: librdkafka's configuration.
        on_delivery: called from `poll` and `flush` with each delivery report.

    Raises:
        BrokerError: the configuration is refused.
        MachineError: librdkafka was not found.
    """

    def __init__(
        self, topic: str, config: Mapping[str, str | int | bool], on_delivery: OnDelivery
    ) -> None:
        self._library = _open_library()
        # A reference, because librdkafka holds none and Python would free the callback.
        self._callback = _DeliveryCallback(
            lambda _, message, __: _report(on_delivery, message.contents)
        )
        self._handle = self._make_handle(config)
        self._topic = ctypes.c_void_p(
            self._library.rd_kafka_topic_new(self._handle, topic.encode(), None)
        )

    def __len__(self) -> int:
        """Count the records not acknowledged yet, and the reports not delivered yet."""
        return int(self._library.rd_kafka_outq_len(self._handle))

    def produce(
        self,
        values: pa.BinaryArray,
        keys: NDArray[np.uint8],
        numbers: Integers,
        *,
        rows: Integers,
        partition: int,
    ) -> Integers:
        """Queue rows for a partition; librdkafka copies them.

        Args:
            values: the records' values.
            keys: one key per row, as bytes.
            numbers: the number of each record in its delivery report.
            rows: the rows to queue, in this order.
            partition: the topic partition.

        Returns:
            librdkafka's code for each of `rows`; 0 where the record was queued.
        """
        _, ends, content = values.buffers()
        begins = np.frombuffer(ends, np.int32)[values.offset : values.offset + len(values) + 1]
        records = np.zeros(len(rows), _MESSAGE)
        records["payload"] = content.address + begins[rows].astype(np.int64)
        records["length"] = begins[rows + 1] - begins[rows]
        records["key"] = keys.ctypes.data + rows * keys.strides[0]
        records["key_length"] = keys.shape[1]
        records["private"] = numbers[rows] + 1
        address = ctypes.c_void_p(records.ctypes.data)
        self._library.rd_kafka_produce_batch(
            self._topic, ctypes.c_int32(partition), _COPY, address, len(records)
        )
        return records["err"].astype(np.int64)

    def poll(self, within_s: float) -> None:
        """Deliver the pending reports, or wait at most `within_s` for one."""
        self._library.rd_kafka_poll(self._handle, round(within_s * 1_000))

    def flush(self, within_s: float) -> int:
        """Wait at most `within_s` for all reports; return how many records still lack one."""
        self._library.rd_kafka_flush(self._handle, round(within_s * 1_000))
        return len(self)

    def close(self) -> None:
        """Close the producer; records not acknowledged yet may be lost."""
        self._library.rd_kafka_topic_destroy(self._topic)
        self._library.rd_kafka_destroy(self._handle)

    def name_error(self, code: int) -> str:
        """Return the text of a librdkafka error code."""
        text: bytes = self._library.rd_kafka_err2str(code)
        return text.decode()

    def _make_handle(self, config: Mapping[str, str | int | bool]) -> ctypes.c_void_p:
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        for name, value in config.items():
            written = str(value).lower() if isinstance(value, bool) else str(value)
            code = self._library.rd_kafka_conf_set(
                conf, name.encode(), written.encode(), text, _TEXT_BYTES
            )
            if code != _OK:
                what = f"Kafka's client refuses {name}: {text.value.decode()}."
                raise BrokerError(what, "Correct the setting.")
        self._library.rd_kafka_conf_set_dr_msg_cb(conf, self._callback)
        handle = self._library.rd_kafka_new(_PRODUCER, conf, text, _TEXT_BYTES)
        if not handle:
            what = f"Kafka's client cannot start: {text.value.decode()}."
            raise BrokerError(what, "Correct the settings.")
        return ctypes.c_void_p(handle)


def _report(on_delivery: OnDelivery, message: _Message) -> None:
    on_delivery(int(message.private) - 1, message.err, message.partition, message.offset)


@cache
def _open_library() -> ctypes.CDLL:
    """Open the librdkafka of confluent-kafka, from its wheel or from the system."""
    package = find_spec("confluent_kafka")
    folder = Path(package.origin or "").parent if package else Path()
    places = (folder.parent / "confluent_kafka.libs", folder / ".dylibs", folder)
    bundled = [path for place in places for path in sorted(place.glob("librdkafka*"))]
    name = str(bundled[0]) if bundled else find_library("rdkafka")
    if not name:
        what = f"confluent-kafka in {folder} has no librdkafka."
        raise MachineError(
            what, "Install its wheel: pip install --force-reinstall confluent-kafka."
        )
    library = ctypes.CDLL(name)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_conf_set": (number, [pointer, text, text, text, ctypes.c_size_t]),
        "rd_kafka_conf_set_dr_msg_cb": (None, [pointer, _DeliveryCallback]),
        "rd_kafka_new": (pointer, [number, pointer, text, ctypes.c_size_t]),
        "rd_kafka_topic_new": (pointer, [pointer, text, pointer]),
        "rd_kafka_produce_batch": (
            number,
            [pointer, ctypes.c_int32, number, pointer, number],
        ),
        "rd_kafka_poll": (number, [pointer, number]),
        "rd_kafka_outq_len": (number, [pointer]),
        "rd_kafka_flush": (number, [pointer, number]),
        "rd_kafka_topic_destroy": (None, [pointer]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_err2str": (text, [number]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
