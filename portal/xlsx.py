"""A workbook (ECMA-376) written row by row: flat in memory, never on a disk, and no cell is a formula.

Every cell is an inline text or a number, so a text such as `=1+1` or `+32470...` stays a text.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KIND}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="calls" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
}
SHEET = "xl/worksheets/sheet1.xml"
LONGEST = 1_048_576  # rows of a sheet: what Excel opens

Cell = str | int | float | None


class Outlet(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        chunk = bytes(data)  # type: ignore[call-overload]
        self._chunks.append(chunk)
        return len(chunk)

    def take(self) -> bytes:
        taken = b"".join(self._chunks)
        self._chunks.clear()
        return taken


class Workbook:
    """One sheet. `add()` and `end()` return the bytes that are ready to be sent."""

    def __init__(self) -> None:
        self._out = Outlet()
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED)
        for name, text in PARTS.items():
            self._zip.writestr(name, HEAD + text)
        self._sheet = self._zip.open(SHEET, "w", force_zip64=True)
        self._sheet.write(f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>'.encode())
        self.rows = 0

    def add(self, rows: Sequence[Sequence[Cell]]) -> bytes:
        """These rows; those beyond the end of a sheet are left out, as Excel would."""
        rows = rows[: LONGEST - self.rows]
        self.rows += len(rows)
        self._sheet.write("".join(map(row, rows)).encode())
        return self._out.take()

    def end(self) -> bytes:
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        self._zip.close()
        return self._out.take()


def row(cells: Sequence[Cell]) -> str:
    return f"<row>{''.join(map(cell, cells))}</row>"


def cell(value: Cell) -> str:
    match value:
        case None | "":
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{int(value)}</v></c>'
        case int() | float():
            return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(NOT_XML.sub(" ", value))}</t></is></c>'
