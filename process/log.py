"""The log: one JSON object a line to standard error, whatever text came in, and no caller's number in it.

Fixed words are the event, data are its keys: `log.info("leg answered", leg=leg.id)`. What is bound at the top
of a task (`structlog.contextvars.bind_contextvars(call=...)`) stands in every line of that call. Only JSON:
the logfmt renderer lets ESC, CR and NUL through as they are.

A log call never raises and never waits: docs/decisions/020-observers-never-stop-a-call.md.
"""

import atexit
import errno
import json
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from dialplan.caller import Caller, Presentation
from process.log_writer import LogWriter
from process.systemd import is_journal

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


# The priorities of syslog(3) as journald reads them at the beginning of a line, and takes them off.
PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}
NO_PRIORITIES: Mapping[str, str] = MappingProxyType({})

type Put = Callable[[str], None]

_writer: LogWriter | None = None


def log_to_stderr(level: str = "info") -> None:
    """Send what this process logs to standard error, from `level` on, by a thread of its own.

    So does what Python itself would print there: it must not wait for a reader either. At exit the last lines
    are written, for as long as a second.
    """
    stderr = sys.stderr
    priorities = PRIORITIES if stderr is not None and is_journal(stderr.fileno()) else {}
    write = _nowhere if stderr is None else partial(os.write, stderr.fileno())
    log_by(LogWriter(write, prefix=priorities.get("warning", "")), level, priorities)
    _adopt_interpreter()


def log_by(writer: LogWriter, level: str = "info", priorities: Mapping[str, str] = NO_PRIORITIES) -> None:
    """Send what this process and its libraries log to `writer`."""
    global _writer  # noqa: PLW0603 - a process has one log
    _writer = writer
    configure(level, writer.put, priorities)
    atexit.register(writer.flush)


def lines_dropped() -> int:
    """How many lines of this process could not be written, nor kept until they could."""
    return _writer.dropped if _writer else 0


def configure(level: str, put: Put, priorities: Mapping[str, str] = NO_PRIORITIES) -> None:
    """Give every line that this process and its libraries log, from `level` on, to `put`.

    `priorities`: the prefix of a line, by its level.
    """
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
        processors=[partial(_render, chain, priorities)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Lines(put),
        cache_logger_on_first_use=True,  # else each line makes a logger anew, one that is not written too
    )
    _adopt_libraries(level, put, chain, priorities)


class Lines:
    """What structlog logs to: a method for each level."""

    def __init__(self, put: Put) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = put


def _render(
    chain: list[Processor],
    priorities: Mapping[str, str],
    logger: WrappedLogger,
    method: str,
    event: EventDict,
) -> str:
    """The line of an event, with its priority before it."""
    return priorities.get(method, "") + _rendered(chain, logger, method, event)


def _rendered(chain: list[Processor], logger: WrappedLogger, method: str, event: EventDict) -> str:
    """The line of an event. What cannot be rendered becomes a line that says so: nothing is raised."""
    facts: Any = event
    try:
        for processor in chain:
            facts = processor(logger, method, facts)
        return str(facts)
    except Exception as error:  # noqa: BLE001 - whatever a value does when it is made text
        return _unrendered(event.get("event"), error)


def _unrendered(event: object, error: Exception) -> str:
    """In place of a line whose values cannot be made text. Of its event only fixed words are repeated."""
    is_fixed = isinstance(event, str) and re.fullmatch("[a-z][a-z_ ]{0,60}", event) is not None
    facts = {"of": event if is_fixed else "?", "error": type(error).__name__}
    return json.dumps(
        {"event": "log_line_unrendered", "level": "error", **facts, "at": datetime.now(UTC).isoformat()}
    )


class _ByQueue(logging.Handler):
    """Renders like structlog, and hands over; the library's own handlers write to their stream, and wait."""

    def __init__(self, put: Put, priorities: Mapping[str, str]) -> None:
        super().__init__()
        self._put = put
        self._priorities = priorities

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - as in _render()
            line = _unrendered(record.name, error)
        self._put(self._priorities.get(record.levelname.lower(), "") + line)


def _adopt_libraries(level: str, put: Put, chain: list[Processor], priorities: Mapping[str, str]) -> None:
    """asyncio and aiohttp log by the standard library: the same lines, from warnings on."""
    handler = _ByQueue(put, priorities)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *chain],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, _number(level)), force=True)


def _adopt_interpreter() -> None:
    """What Python prints to standard error: uncaught exceptions, ignored ones, warnings."""
    log = structlog.get_logger()

    def failed(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("process_failed", exc_info=(kind, error, trace))

    def thread_failed(args: threading.ExceptHookArgs) -> None:
        name, error = args.thread.name if args.thread else "", args.exc_value
        log.critical("thread_failed", thread=name, exc_info=(args.exc_type, error, args.exc_traceback))

    def ignored(args: "sys.UnraisableHookArgs") -> None:
        log.error("exception_ignored", exc_info=(args.exc_type, args.exc_value, args.exc_traceback))

    sys.excepthook, threading.excepthook, sys.unraisablehook = failed, thread_failed, ignored
    logging.captureWarnings(capture=True)


def _nowhere(_data: memoryview) -> int:
    """Standard error was closed before we began: its number is another file's by now."""
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


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
