"""A real server of the API on a free port, for tests."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import uvicorn

from crossfade.folder import DataFolder
from crossfade.kafka.address import KafkaAddress
from crossfade.serving.app import build_app


@contextmanager
def api_client(
    folder: DataFolder, address: KafkaAddress | None, *, cors: Sequence[str] = ()
) -> Iterator[httpx.Client]:
    """Yield a client of a running API server."""
    app = build_app(folder, address, cors=cors)
    config = uvicorn.Config(app, port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(15)
