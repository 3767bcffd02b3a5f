"""The log: one JSON object a line to standard error, whatever the values, and no caller's number in it.

The event is fixed, data are its keys: `log.info("leg_answered", leg=leg.id)`. Events are snake_case, noun and
past participle, and listed in docs/operating.md. Keys bound at the top of a task
(`structlog.contextvars.bind_contextvars(call=...)`) are in every line of that call. Only JSON is used: the
logfmt renderer does not escape ESC, CR and NUL.

A log call never raises and never waits: docs/decisions/016-observers-never-stop-a-call.md.
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
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from dialplan.caller import Caller, Presentation
from process.log_writer import LogWriter
from process.systemd import is_journal

LONGEST = 500  # characters of one value: a display name may have 10,000

# Our ids contain runs of digits, but are not numbers: they are matched first, and stay.
ID_OR_NUMBER = re.compile(
    r"(?P<id>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})|\+\d(?:[ ./()-]{0,2}\d){6,}|\d{7,}"
)
PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s@]*@")
SECRET = re.compile("password|passwd|secret|token|authorization|cookie|credential", re.IGNORECASE)

# Keys whose values are logged unchanged: the service number that was called, our ids and digests, instants,
# segments of the journal, files of the operator (a routing file may be named after its number). Callers
# cannot influence any of them.
PLAIN = frozenset({"number", "call", "leg", "at", "file", "segment", "routing", "digest", "channel"})


# The priorities of syslog(3) as journald reads them at the beginning of a line, and takes them off.
PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}
NO_PRIORITIES: Mapping[str, str] = MappingProxyType({})

type Put = Callable[[str], None]

_writer: LogWriter | None = None


def log_to_stderr(level: str = "info") -> None:
    """Log to standard error from `level` on, by a thread of its own.

    Python's own messages to standard error take the same way, so that they never wait for a reader. At exit
    the last lines are written, for at most a second.
    """
    stderr = sys.stderr
    priorities = PRIORITIES if stderr is not None and is_journal(stderr.fileno()) else {}
    write = _nowhere if stderr is None else partial(os.write, stderr.fileno())
    log_by(LogWriter(write, prefix=priorities.get("warning", "")), level, priorities)
    _adopt_interpreter()


def log_by(writer: LogWriter, level: str = "info", priorities: Mapping[str, str] = NO_PRIORITIES) -> None:
    """Send the log lines of this process and its libraries to `writer`."""
    global _writer  # noqa: PLW0603 - a process has one log
    _writer = writer
    configure(level, writer.put, priorities)
    atexit.register(writer.flush)


def lines_dropped() -> int:
    """How many lines of this process were dropped, because they could not be written in time."""
    return _writer.dropped if _writer else 0


def configure(level: str, put: Put, priorities: Mapping[str, str] = NO_PRIORITIES) -> None:
    """Pass every line that this process and its libraries log, from `level` on, to `put`.

    `priorities`: the prefix of a line, by its level.
    """
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        # Local variables may contain values of callers; a traceback without them still has place and message.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False, max_frames=20)),
        redact,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[partial(_render, chain, priorities)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Lines(put),
        cache_logger_on_first_use=True,  # else each line creates a logger, even a line below the level
    )
    _adopt_libraries(level, put, chain, priorities)


class Lines:
    """The logger that structlog wraps: a method for each level."""

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
    """The line of an event. An event that cannot be rendered becomes a line that says so; never raises."""
    rendered: Any = event
    try:
        for processor in chain:
            rendered = processor(logger, method, rendered)
        return str(rendered)
    except Exception as error:  # noqa: BLE001 - converting a value to text may raise anything
        return _unrendered(event.get("event"), error)


def _unrendered(event: object, error: Exception) -> str:
    """The line instead of one whose values cannot be rendered. It repeats only an event of fixed words."""
    is_fixed = isinstance(event, str) and re.fullmatch("[a-z][a-z_ ]{0,60}", event) is not None
    fields = {"of": event if is_fixed else "?", "error": type(error).__name__}
    return json.dumps(
        {"event": "log_line_unrendered", "level": "error", **fields, "at": datetime.now(UTC).isoformat()}
    )


class _ByQueue(logging.Handler):
    """Renders like structlog and queues the line; the library's own handlers would write and wait."""

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
    """asyncio and aiohttp use the standard library's logging: same lines, from warnings on."""
    handler = _ByQueue(put, priorities)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *chain],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, _number(level)), force=True)


def _adopt_interpreter() -> None:
    """Log what Python would print to standard error: uncaught and ignored exceptions, warnings."""
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
    """Standard error was closed before we started: its descriptor may belong to another file now."""
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Make every value plain JSON of bounded length, without numbers and passwords."""
    return _each_redacted(event)


def _each_redacted(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        key: "[secret]" if _is_secret(key) else _redacted(key, value)
        for key, value in ((str(name), value) for name, value in values.items())
    }


def _redacted(key: str, value: Any) -> Any:
    """The part of this key's value that may be logged. The key is not that of a secret."""
    match value:
        case str():
            return _cut(_masked(key, value))
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):  # NaN is not valid JSON
            return value
        case Mapping():
            return _each_redacted(value)
        case list() | tuple() | set() | frozenset():
            return [_redacted(key, inner) for inner in value]
        case _:
            text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
            return _cut(_masked(key, text))


@lru_cache(1024)  # keys are words of our own, except those of a mapping that is logged
def _is_secret(key: str) -> bool:
    return SECRET.search(key) is not None


def _masked(key: str, text: str) -> str:
    if key in PLAIN:
        return text
    if key == "to" and re.fullmatch(r"\+[0-9]{7,15}", text, re.ASCII):
        return Caller(
            Presentation.SHOWN, text
        ).masked  # an owner's destination: enough is left to recognise it
    # Elsewhere numbers are removed: one might be a withheld number in the message of an exception.
    return PASSWORD_IN_URL.sub(r"\1:***@", ID_OR_NUMBER.sub(lambda match: match["id"] or "***", text))


def _cut(text: str) -> str:
    """Bounded, and without lone surrogates: not every JSON reader takes them."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
