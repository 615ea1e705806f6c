"""How the service speaks: one line an event on standard error, for people or for machines."""

import logging
import sys

import structlog

LOG_FORMATS = ("text", "json")


def configure_logs(log_format: str) -> None:
    """Set up structlog; libraries' own warnings pass through the same lines."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=False),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")
    # it logs the traceback of whatever a callback of ours raises on purpose, to keep back a confirmation
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
