"""Calls as files: CSV, JSON or a workbook, exactly those of the filter, streamed.

The columns are those of `callengine calls`, and when the call began in the owner's zone. A million records
take no more memory than 500.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web

from portal.calls import wanted_calls
from portal.services import UNLIMITED
from portal.sound import write
from portal.visitor import VISITOR, database
from portal.xlsx import Cell, Workbook
from storage import access
from storage.access import Access
from storage.export import COLUMNS, as_cell, as_cells, as_object, in_utc, value_of
from storage.owned import calls
from storage.records import CallRecord

ROWS = 500  # written at a time
HEAD = ("began_local", "timezone", *COLUMNS)
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Writer(Protocol):
    """Turns records into the bytes of a file."""

    def begin(self) -> bytes: ...

    def add(self, records: Sequence[CallRecord]) -> bytes: ...

    def end(self) -> bytes: ...


class Csv:
    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone

    def begin(self) -> bytes:
        return self._lines([HEAD])

    def add(self, records: Sequence[CallRecord]) -> bytes:
        return self._lines([*local(record, self._zone), *as_cells(record)] for record in records)

    def end(self) -> bytes:
        return b""

    def _lines(self, rows: Iterable[Sequence[str]]) -> bytes:
        out = io.StringIO()
        csv.writer(out, lineterminator="\r\n").writerows(rows)
        return out.getvalue().encode()


class Json:
    """An array, one record a line."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._some = False

    def begin(self) -> bytes:
        return b"["

    def add(self, records: Sequence[CallRecord]) -> bytes:
        out = []
        for record in records:
            began, zone = local(record, self._zone)
            out.append(",\n" if self._some else "\n")
            out.append(json.dumps({"began_local": began, "timezone": zone, **as_object(record)}))
            self._some = True
        return "".join(out).encode()

    def end(self) -> bytes:
        return b"\n]\n"


class Xlsx:
    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._book = Workbook()

    def begin(self) -> bytes:
        return self._book.add([HEAD])

    def add(self, records: Sequence[CallRecord]) -> bytes:
        return self._book.add([[*local(record, self._zone), *cells(record)] for record in records])

    def end(self) -> bytes:
        return self._book.end()


WRITERS: dict[str, Callable[[ZoneInfo], Writer]] = {"csv": Csv, "json": Json, "xlsx": Xlsx}


def local(record: CallRecord, zone: ZoneInfo) -> tuple[str, str]:
    """When the call began, in this zone, with its distance from UTC; and the zone."""
    return record.began.astimezone(zone).isoformat(timespec="milliseconds"), zone.key


def cells(record: CallRecord) -> list[Cell]:
    """The columns as cells of a workbook: numbers stay numbers, and texts are texts."""
    found: list[Cell] = []
    for column in COLUMNS:
        value = value_of(record, column)
        if isinstance(value, timedelta):
            found.append(round(value.total_seconds(), 3))
        elif isinstance(value, datetime):
            found.append(in_utc(value))
        else:
            found.append(value if isinstance(value, str | int) else as_cell(value))
    return found


async def download_calls(request: web.Request) -> web.StreamResponse:
    visitor, form = request[VISITOR], request.match_info["format"]
    wanted = wanted_calls(request)
    writer = WRITERS[form](visitor.zone)
    request.app[UNLIMITED](request.transport)
    name = f"calls-{datetime.now(UTC).astimezone(visitor.zone):%Y%m%d-%H%M}.{form}"
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: TYPES[form],
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        }
    )
    async with database(request) as con:
        await access.add(con, None, Access.EXPORT, visitor.actor, owner=visitor.name, detail=form)
        await response.prepare(request)
        async with aclosing(calls.stream(con, visitor.name, wanted.filter)) as records:
            await write(request, response, writer.begin())
            async for some in in_pieces(records):
                if data := writer.add(some):
                    await write(request, response, data)
            await write(request, response, writer.end())
    await response.write_eof()
    return response


async def in_pieces(records: AsyncIterator[CallRecord]) -> AsyncIterator[list[CallRecord]]:
    piece: list[CallRecord] = []
    async for record in records:
        piece.append(record)
        if len(piece) == ROWS:
            yield piece
            piece = []
    if piece:
        yield piece


ROUTES = (web.get("/calls/calls.{format:csv|json|xlsx}", download_calls, name="download_calls"),)
