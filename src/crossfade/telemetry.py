"""Logs as facts with fields, on standard error; never on standard output."""

import logging
import sys
from typing import Literal, TextIO, cast

import structlog

LogFormat = Literal["text", "json"]


def configure_logs(log_format: LogFormat = "text", *, level: int = logging.INFO) -> None:
    """Send every log line to standard error, one fact a line, times in UTC."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )


class _StandardError:
    """Standard error as it is when a line is written, whoever has replaced it since."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def get_logger(stage: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a stage; each of its lines carries the stage's name."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(stage=stage)
    return logger
