"""What an owner sees on each page."""

import csv
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as Tree

import aiohttp
import pytest

from dialplan.names import LANGUAGES
from portal.conversion import Work
from storage.calls import find
from storage.export import as_cells, as_object
from tests.store.calls import answered_call, call_id
from tests.store.conftest import execute
from tests.store.conversations import (
    CALLER,
    DESTINATION,
    heard,
    record_talk,
    recorded_call,
    recording_id,
    usual_level_at,
)
from tests.store.portal import ACME_NUMBER, OFFICE, OVEN, Street, street_of
from tests.store.sounds import record, voicemail_call

SECRET = "+32499999999"
GUARD_OFF = "ALTER TABLE {} DROP CONSTRAINT no_number_of_a_withheld_caller;"
PAGES = ("/", "/calls", "/messages", "/recordings", "/numbers", "/accesses", "/data")


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    """ACME has calls 1 to 4, recording 3, and message 4; call 5 is the bakery's."""
    async with street_of(roles, tmp_path) as found:
        house = found.house
        record_talk(house.spool.folder, 3, 2.0)
        record(house.spool.folder, 4)
        await house.drain(
            answered_call(1),
            answered_call(2, withheld=True, caller=""),
            recorded_call(3, days=36_500),
            voicemail_call(4),
            answered_call(5, owner="bakery", number="+3280012345"),
        )
        await house.seal()
        yield found


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_is_there_in_every_language(street: Street, language: str) -> None:
    browser = await street.logged_in(OFFICE)
    await browser.post("/language", {"language": language})
    paths = [*PAGES, f"/calls/{call_id(1)}", f"/calls/{call_id(4)}", f"/recordings/{recording_id(3)}"]
    for path in [*paths, f"/recordings/{recording_id(3)}/destroy"]:
        page = await browser.get(path)
        assert page.status == 200, path
        assert f'<html lang="{language}">' in page.text
        assert "<script" not in page.text
        assert "{" not in page.text.partition("<main")[2], path


async def test_the_calls_are_the_owners_newest_first_with_the_reason_of_each_turn(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    page = (await browser.get("/calls")).text
    places = [page.find(call_id(n)) for n in (4, 3, 2, 1)]
    assert places == sorted(places)
    assert -1 not in places
    assert call_id(5) not in page
    digest = street.services.routing.routing
    assert digest
    await street.house.con.execute("UPDATE call SET routing = $1", digest.digest)
    call = (await browser.get(f"/calls/{call_id(1)}")).text
    assert "open: 13:00 is within mon-fri 09:00-17:00" in call
    assert "02 111 22 44" in call
    await street.house.con.execute(
        "UPDATE call SET began = '2026-12-25T11:00Z' WHERE call_id = $1", call_id(1)
    )
    assert "closed: Christmas Day" in (await browser.get(f"/calls/{call_id(1)}")).text


async def test_a_filter_finds_a_caller_in_any_spelling_and_no_address_has_the_number(
    street: Street,
) -> None:
    await street.house.drain(answered_call(6, caller="0470999888"), rev=9)
    browser = await street.logged_in(OFFICE)
    for written in ("+32 470 99 98 88", "0470/99.98.88", "0032470999888"):
        answer = await browser.send("/calls", caller=written)
        assert (answer.status, "470" in answer.place) == (303, False)
        page = (await browser.get(answer.place)).text
        assert (call_id(6) in page, call_id(1) in page) == (True, False)
    answer = await browser.send("/calls", outcome="missed")
    assert "There are no such calls" in (await browser.get(answer.place)).text
    answer = await browser.send("/calls", since="2026-11-25", until="2026-11-26")
    assert "There are no such calls" in (await browser.get(answer.place)).text
    assert (await browser.send("/calls", caller="DROP TABLE")).status == 422
    assert (await browser.send("/calls", since="yesterday")).status == 422


async def test_pages_follow_each_other_without_a_gap(street: Street) -> None:
    house = street.house
    await house.drain(*(answered_call(n) for n in range(100, 220)), rev=100)
    browser = await street.logged_in(OFFICE)
    place, seen = "/calls", list[str]()
    for _ in range(9):
        page = (await browser.get(place)).text
        seen += re.findall(r'<a href="/calls/([0-9a-f-]{36})"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if not following:
            break
        place = following[1].replace("&amp;", "&")
    assert seen == [call_id(n) for n in (*range(219, 99, -1), 4, 3, 2, 1)]


async def test_a_download_is_what_is_filtered_cell_by_cell_and_is_logged(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    records = [it async for it in find(street.house.con) if it.owner == "acme"][::-1]
    assert len(records) == 4
    table = list(csv.reader(io.StringIO((await browser.get("/calls/calls.csv")).text)))
    assert table[0][:3] == ["began_local", "timezone", "call_id"]
    assert [row[2:] for row in table[1:]] == [as_cells(record) for record in records]
    assert table[1][:2] == ["2026-11-24T13:00:04.000+01:00", "Europe/Brussels"]
    objects = json.loads((await browser.get("/calls/calls.json")).text)
    assert [{key: it[key] for key in as_object(records[0])} for it in objects] == [
        json.loads(json.dumps(as_object(record))) for record in records
    ]
    sheet = workbook((await browser.get("/calls/calls.xlsx")).data)
    assert sheet[0] == list(table[0])
    assert [row[2] for row in sheet[1:]] == [record.call_id for record in records]
    assert [row[3] for row in sheet[1:]] == [record.number for record in records]  # as text, not as a formula
    answer = await browser.send("/calls", outcome="voicemail")
    filtered = answer.place.replace("/calls?", "/calls/calls.csv?")
    assert len((await browser.get(filtered)).text.splitlines()) == 2
    lines = await street.house.con.fetch("SELECT detail FROM access WHERE what = 'export' ORDER BY seq")
    assert [line["detail"] for line in lines] == ["csv", "json", "xlsx", "csv"]
    assert "downloaded calls (csv)" in (await browser.get("/accesses")).text


def workbook(data: bytes) -> list[list[str]]:
    """The cells of the sheet, as texts; none of them is a formula."""
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        sheet = Tree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert sheet.find(f".//{space}f") is None
    return [["".join(cell.itertext()) for cell in row] for row in sheet.iter(f"{space}row")]


async def test_a_recording_is_played_in_parts_and_the_access_log_has_one_line(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    place = f"/recordings/{recording_id(3)}"
    whole = await browser.get(f"{place}/sound")
    assert (whole.status, whole.headers["Content-Type"], whole.data[:4]) == (200, "audio/wav", b"RIFF")
    part = await browser.get(f"{place}/sound", Range="bytes=1000-1999")
    assert (part.status, part.data) == (206, whole.data[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(whole.data)}"
    assert (await browser.get(f"{place}/sound", Range="bytes=-10")).data == whole.data[-10:]
    assert (await browser.get(f"{place}/sound", Range=f"bytes={len(whole.data)}-")).status == 416
    page = (await browser.get(place)).text
    assert page.count(">listened<") == 1
    assert f"you: {OFFICE}" in page


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "opus"])
async def test_a_recording_is_downloaded_in_each_format(street: Street, form: str) -> None:
    browser = await street.logged_in(OFFICE)
    answer = await browser.get(f"/recordings/{recording_id(3)}/file.{form}")
    assert (answer.status, "attachment" in answer.headers["Content-Disposition"]) == (200, True)
    samples = heard(answer.data)
    assert 1.9 < len(samples) / 8000 < 2.2
    left, right = usual_level_at(samples[:, 0], CALLER), usual_level_at(samples[:, 1], DESTINATION)
    assert min(left, right) > -16  # both tones, each on its side
    assert usual_level_at(samples[:, 0], DESTINATION) < -35
    (line,) = await street.house.con.fetch("SELECT * FROM access WHERE what = 'download'")
    assert (line["actor"], line["operator"], line["owner"]) == ("owner", OFFICE, "acme")


async def test_another_format_that_fails_midway_is_not_taken_for_whole(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await street.logged_in(OFFICE)
    place = f"/recordings/{recording_id(3)}/file.mp3"
    whole = await browser.get(place, Range="bytes=10-19")
    assert (whole.status, whole.headers["Accept-Ranges"], len(whole.data) > 10) == (200, "none", True)

    def fail(_work: Work) -> bytes:
        raise OSError("no memory")

    monkeypatch.setattr(Work, "step", fail)
    with pytest.raises(aiohttp.ClientError):
        await browser.get(place)
    assert (await browser.get("/calls")).status == 200


async def test_an_owner_destroys_a_recording_after_a_question(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    place = f"/recordings/{recording_id(3)}"
    assert "cannot be undone" in (await browser.get(f"{place}/destroy")).text
    assert (await browser.send(f"{place}/destroy")).status == 400
    assert await street.house.destroy() == 0
    assert (await browser.send(f"{place}/destroy", sure=recording_id(3))).place == place
    await street.house.destroy()
    assert await street.house.state(recording_id(3)) == "destroyed"
    assert (await browser.get(f"{place}/sound")).status == 404
    assert "destroyed by you" in (await browser.get(place)).text
    reason = "SELECT reason FROM tombstone WHERE audio_id = $1"
    assert await street.house.con.fetchval(reason, recording_id(3)) == "owner"


async def test_a_held_recording_is_not_destroyed(street: Street) -> None:
    await street.house.con.execute("UPDATE audio SET hold = 'court' WHERE audio_id = $1", recording_id(3))
    browser = await street.logged_in(OFFICE)
    place = f"/recordings/{recording_id(3)}"
    assert (await browser.send(f"{place}/destroy", sure=recording_id(3))).status == 409
    assert "kept on legal grounds" in (await browser.get(place)).text


async def test_a_withheld_caller_is_nowhere(street: Street, roles: Mapping[str, str]) -> None:
    """Not even where the table's own guard is gone, which refuses a number beside `withheld`."""
    await execute(roles["owner"], GUARD_OFF.format("call") + GUARD_OFF.format("message"))
    con = street.house.con
    await con.execute("UPDATE call SET caller = $1, withheld = true", SECRET)
    await con.execute("UPDATE message SET caller = $1, withheld = true", SECRET)
    browser = await street.logged_in(OFFICE)
    paths = [*PAGES, *(f"/calls/{call_id(n)}" for n in (1, 2, 3, 4)), f"/recordings/{recording_id(3)}"]
    for path in (*paths, "/calls/calls.csv", "/calls/calls.json"):
        assert "499999999" not in re.sub(r"[\s.]", "", (await browser.get(path)).text), path
    assert "499999999" not in str(workbook((await browser.get("/calls/calls.xlsx")).data))
    assert "withheld" in (await browser.get(f"/calls/{call_id(2)}")).text


async def test_calls_of_withheld_callers_can_be_asked_for(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    answer = await browser.send("/calls", caller="anoniem")
    page = (await browser.get(answer.place)).text
    assert (call_id(2) in page, call_id(1) in page) == (True, False)


async def test_the_overview_counts_what_the_records_have(street: Street) -> None:
    con = street.house.con
    now = datetime.now(UTC)
    await con.execute("UPDATE call SET began = '2020-01-01'")
    for n, outcome in enumerate(("answered", "busy", "voicemail", "abandoned", "closed", "no_answer")):
        entries = [*answered_call(300 + n)]
        await street.house.drain(entries, rev=300 + n)
        await con.execute(
            "UPDATE call SET outcome = $2, began = $3, ring_seconds = 7 WHERE call_id = $1",
            call_id(300 + n), outcome, now - timedelta(days=n),
        )  # fmt: skip
    page = (await (await street.logged_in(OFFICE)).get("/")).text
    assert "The last 30 days: " in page
    recent = page.partition('id="recent"')[2]
    counts = re.findall(r"<dt[^>]*>([^<]+)</dt><dd>(\d+)", recent)
    expected = {"answered": 1, "missed": 2, "voicemail": 1, "abandoned": 1, "closed": 1}
    assert {name: int(count) for name, count in counts[:5]} == expected
    assert "7 s" in recent
    assert page.count("<svg") >= 2
    assert page.count("<table") == 2  # each plot reads as a table, too


async def test_my_numbers_tells_the_route_and_what_would_happen_at_a_moment(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    page = (await browser.get("/numbers?at=2026-12-25T10:00")).text
    assert "070 01 23 45 (Main line)" in page
    assert "closed: Christmas Day; opens on 2026-12-28 at 09:00" in page
    page = (await browser.get("/numbers?at=2026-11-24T10:00")).text
    assert "open: 10:00 is within mon-fri 09:00-17:00" in page
    assert "cannot be understood" in (await browser.get("/numbers?at=soon")).text
    assert ACME_NUMBER not in (await (await street.logged_in(OVEN)).get("/numbers")).text
