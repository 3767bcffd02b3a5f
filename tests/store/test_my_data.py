"""What owners change of their own data in the portal, and when it is in force."""

import html
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from dialplan.names import LANGUAGES
from tests.store.conftest import execute
from tests.store.conversations import record_talk, recorded_call, recording_id
from tests.store.portal import ACME, BAKERY, OFFICE, OVEN, Browser, Street, street_of
from worker.retention import Retention

UNUSABLE = """
INSERT INTO owner_change (owner, setting, value, changed_by) VALUES ('acme', 'audio', '"flac"', 'x')
"""
FORM = {
    "name": "ACME Dentists",
    "language": "en",
    "audio": "mp3",
    "recordings": "flac",
    "missed_calls": "off",
    "count": "30",
    "unit": "day",
}


@pytest.fixture
async def street(roles: Mapping[str, str], tmp_path: Path) -> AsyncIterator[Street]:
    async with street_of(roles, tmp_path) as found:
        yield found


async def sent(browser: Browser, **more: str) -> tuple[int, str]:
    answer = await browser.send("/data", **FORM | more)
    return answer.status, html.unescape(answer.text)


async def details(street: Street) -> list[str]:
    rows = await street.house.con.fetch("SELECT * FROM access WHERE what = 'change' ORDER BY seq")
    return [f"{row['owner']} {row['actor']} {row['operator']}: {row['detail']}" for row in rows]


async def test_a_change_is_in_force_in_the_access_log_and_beside_what_the_file_has(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    assert (await sent(browser, name="ACME Smiles", language="fr", audio="wav", missed_calls="mail"))[
        0
    ] == 303
    await street.spread()
    owner = street.services.routing.owner(ACME)
    assert owner
    told = (owner.name, owner.language, owner.audio, owner.missed_calls, owner.keep_recordings)
    assert told == ("ACME Smiles", "fr", "wav", "mail", timedelta(days=30))
    shown = html.unescape((await browser.get("/data")).text)
    assert '<html lang="fr">' in shown
    assert "Chez votre fournisseur : ACME Dentists" in shown
    assert await details(street) == [
        f"acme owner {OFFICE}: name: ACME Dentists -> ACME Smiles; language: en -> fr; audio: mp3 -> wav; "
        "missed_calls: off -> mail"
    ]
    assert "Langue des mails et des annonces: en -> fr" in html.unescape(
        (await browser.get("/accesses")).text
    )


async def test_what_the_file_has_anyway_is_no_change_any_more(street: Street) -> None:
    browser = await street.logged_in(OFFICE)
    await sent(browser, language="fr")
    await sent(browser)
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_change") == 0
    assert [line.partition(": ")[2] for line in await details(street)] == [
        "language: en -> fr",
        "language: fr -> en",
    ]
    await sent(browser)  # nothing differs: no line
    assert len(await details(street)) == 2


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("language", "it"),
        ("audio", "flac"),
        ("recordings", "exe"),
        ("missed_calls", "maybe"),
        ("count", "0"),
        ("count", "-1"),
        ("count", "99999"),
        ("count", "٣٠"),
        ("unit", "year"),
    ],
)
async def test_what_the_files_rules_refuse_is_refused_here(street: Street, setting: str, value: str) -> None:
    browser = await street.logged_in(OFFICE)
    status, text = await sent(browser, **{setting: value})
    assert status == 422
    assert 'role="alert"' in text
    assert await street.house.con.fetchval("SELECT count(*) FROM owner_change") == 0
    assert await details(street) == []


async def test_a_shorter_retention_says_what_it_destroys_and_asks(street: Street) -> None:
    for n in (1, 2, 3):
        record_talk(street.house.spool.folder, n, 0.5)
    await street.house.drain(*(recorded_call(n, days=36_500) for n in (1, 2, 3)))
    await street.house.seal()
    con = street.house.con
    await con.execute(
        "UPDATE recording SET ended = now() - interval '3 days' WHERE audio_id = $1", recording_id(1)
    )
    await con.execute("UPDATE recording SET ended = now() WHERE audio_id <> $1", recording_id(1))
    await con.execute("UPDATE audio SET destroy_after = now() + interval '27 days'")
    browser = await street.logged_in(OFFICE)
    status, text = await sent(browser, count="2", name="ACME Two")
    assert status == 200
    assert "Destroyed within seconds: 1 recordings. Later, but earlier than now: 2." in text
    assert await details(street) == []
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', text.partition("<main")[2]))
    assert fields["sure"] == "2 days"
    answer = await browser.post("/data", fields)
    assert (answer.status, answer.place) == (303, "/data")
    assert (await details(street))[0].endswith(
        "name: ACME Dentists -> ACME Two; keep_recordings: 30 days -> 2 days"
    )
    retention = Retention("here", street.state / "routing-versions" / "in-force")
    await con.execute("INSERT INTO retention (node, owner, keep_seconds) VALUES ('here', 'acme', 2592000)")
    await con.execute("UPDATE audio SET began = now() - interval '4 days'")
    await retention.look(con)
    due = await con.fetch("SELECT audio_id FROM audio WHERE destroy_after <= now()")
    assert [row["audio_id"] for row in due] == [recording_id(1)]


async def test_a_longer_retention_is_not_asked_for_and_an_answer_is_to_its_question(
    street: Street,
) -> None:
    browser = await street.logged_in(OFFICE)
    assert (await sent(browser, count="60"))[0] == 303
    assert (await sent(browser, count="2", sure="3 days"))[0] == 200
    assert (await details(street))[-1].endswith("keep_recordings: 30 days -> 60 days")


async def test_the_forms_are_of_one_owner(street: Street) -> None:
    oven, office = await street.logged_in(OVEN), await street.logged_in(OFFICE)
    await sent(office, name="Other")
    await street.spread()
    bakery = street.services.routing.owner(BAKERY)
    assert bakery
    assert bakery.name == "Bakery Peeters"
    assert "Other" not in (await oven.get("/data")).text
    assert "Other" not in (await oven.get("/accesses")).text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_question_and_the_errors_are_there_in_every_language(street: Street, language: str) -> None:
    browser = await street.logged_in(OFFICE)
    await browser.post("/language", {"language": language})
    for more in ({"count": "1"}, {"count": "x"}):
        _, text = await sent(browser, **more)
        assert f'<html lang="{language}">' in text
        assert "{" not in text.partition("<main")[2]


async def test_changes_that_a_new_file_does_not_allow_are_shown_as_the_file_has_them(
    street: Street, roles: Mapping[str, str]
) -> None:
    browser = await street.logged_in(OFFICE)
    await execute(roles["superuser"], UNUSABLE)
    await street.spread()
    assert '<option selected value="mp3">' in (await browser.get("/data")).text
    assert street.services.routing.owner(ACME) is street.services.routing.ground(ACME)
