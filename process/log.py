"""The log: one JSON object a line to standard error, whatever text came in, and no caller's number in it.

Fixed words are the event, data are its keys: `log.info("leg answered", leg=leg.id)`. What is bound at the top
of a task (`structlog.contextvars.bind_contextvars(call=...)`) stands in every line of that call. Only JSON:
the logfmt renderer lets ESC, CR and NUL through as they are.
"""

import logging
import math
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from dialplan.caller import Caller, Presentation

LONGEST = 500  # characters of one value: a display name may have 10,000

# An id of ours holds runs of digits, and is no number: it is matched first, and kept.
ID_OR_NUMBER = re.compile(
    r"(?P<id>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})|\+\d(?:[ ./()-]{0,2}\d){6,}|\d{7,}"
)
PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s@]*@")
SECRET = re.compile("password|passwd|secret|token|authorization|cookie|credential", re.IGNORECASE)

# Whose value may be told: the service number that was called, ids and digests of ours, instants, segments of
# the journal, files of the operator (a routing file is called as its number). No caller has a say in any of
# them.
PLAIN = frozenset({"number", "call", "leg", "at", "file", "segment", "routing", "digest", "channel"})


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send what this process and its libraries log to `stream` (standard error), from `level` on."""
    stream = stream or sys.stderr
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        # Locals hold what callers sent; without them a traceback is still a place and a message.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20)),
        redact,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,  # else each line makes a logger anew, one that is not written too
    )
    _adopt_libraries(level, stream, chain)


def _adopt_libraries(level: str, stream: TextIO, chain: list[Processor]) -> None:
    """asyncio and aiohttp log by the standard library: the same lines, from warnings on."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *chain],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, _number(level)), force=True)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every value plain JSON of bounded length in which no number and no password stands."""
    return {key: _told(key, value) for key, value in event.items()}


def _told(key: str, value: Any) -> Any:
    """What may be told of a value under this key."""
    if SECRET.search(key):
        return "[secret]"
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):  # NaN is no JSON
            return value
        case Mapping():
            return {str(name): _told(str(name), inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_told(key, inner) for inner in value]
        case _:
            text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
            return _cut(_masked(key, text))


def _masked(key: str, text: str) -> str:
    if key in PLAIN:
        return text
    if key == "to" and re.fullmatch(r"\+[0-9]{7,15}", text, re.ASCII):
        return Caller(Presentation.SHOWN, text).masked  # an owner's destination: enough to recognise it by
    # Elsewhere nothing of a number is left: it might be a withheld one, in the message of an exception.
    return PASSWORD_IN_URL.sub(r"\1:***@", ID_OR_NUMBER.sub(lambda found: found["id"] or "***", text))


def _cut(text: str) -> str:
    """Bounded, and without lone surrogates: not every JSON reader takes them."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
