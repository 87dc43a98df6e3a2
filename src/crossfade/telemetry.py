"""Structured logs on standard error."""

import logging
import sys
from typing import Literal, TextIO, cast

import structlog

LogFormat = Literal["text", "json"]


def configure_logs(log_format: LogFormat = "text", *, level: int = logging.INFO) -> None:
    """Configure structlog to write to standard error: one event per line, times in UTC."""
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
    """Writes to the current `sys.stderr`, even if it was replaced after the configuration."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def get_logger(stage: str) -> structlog.typing.FilteringBoundLogger:
    """Return the logger of a stage; each of its lines has the stage's name."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(stage=stage)
    return logger
