"""The words of the portal: complete in each language; reasons, plots, places and workbooks."""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.calendar import Calendar
from dialplan.caller import Caller, Presentation
from dialplan.names import LANGUAGES
from dialplan.rehearse import rehearse
from dialplan.result import Outcome, Result
from dialplan.step import Turn
from portal.call_filter import Asked, WrongFilter, as_filter
from portal.path_words import REASONS, reason, route
from portal.place import instant_text, read_number, read_place
from portal.plots import ceiling, stacked
from portal.secrets import Secrets, is_token, new_token
from portal.texts import preferred, texts
from portal.wording import FILTERS, GROUP_OF, GROUPS, instant, length
from portal.xlsx import Workbook
from storage.access import Access
from storage.key_wrapper import SealBroken, new_master_key
from storage.message_states import MessageState
from tests.unit.routes import Raw, routes, service_number

BRUSSELS = ZoneInfo("Europe/Brussels")


def gaps(words: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every text's place, with what is put into it."""
    for key, text in words.items():
        if isinstance(text, dict):
            yield from gaps(text, f"{at}{key}.")
        else:
            yield f"{at}{key}", sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_text_with_the_same_gaps(language: str) -> None:
    assert dict(gaps(texts(language))) == dict(gaps(texts("en")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_whatever_a_record_can_say_has_a_word(language: str) -> None:
    words = texts(language)
    assert set(words["outcomes"]) == {result.value for result in Result}
    assert set(GROUP_OF) == {result.value for result in Result}
    assert set(words["groups"]) == set(GROUPS)
    assert set(words["step_outcomes"]) >= {outcome.value for outcome in Outcome}
    assert set(words["message_states"]) == {state.value for state in MessageState}
    assert set(words["access_words"]) >= {what.value for what in Access}


@pytest.mark.parametrize(
    ("why", "dutch"),
    [
        ("open: mon 09:00 is in mon-fri 09:00-17:00", "open: 09:00 valt in mon-fri 09:00-17:00"),
        ("closed: sat 12:00; opens mon 2026-12-28 09:00", "gesloten om 12:00; opent op 2026-12-28 om 09:00"),
        (
            "holiday: Kerstmis, on a day with hours of its own; opens on none of the next 60 days",
            "gesloten: Kerstmis, een dag met eigen uren; opent op geen van de volgende 60 dagen",
        ),
        ("holiday: a day of its own; opens mon 2026-12-28 09:00",
         "gesloten: een eigen sluitingsdag; opent op 2026-12-28 om 09:00"),
        ("the caller is of: withheld", "de beller hoort bij: withheld"),
        ("call 3 of each 100: branch 1, which gets 70 %", "oproep 3: tak 1, die 70 % krijgt"),
        ("none is on of: strike", "geen staat aan van: strike"),
        ("something new", "something new"),
    ],
)  # fmt: skip
def test_a_reason_is_said_in_the_owners_language(why: str, dutch: str) -> None:
    assert reason(why, "nl") == dutch


HOLIDAYS = [
    ("BE", "Kerstmis", "fr", "Noël"),
    ("BE", "Nationale feestdag", "es", "National Day"),  # that of Spain has another name
    ("DE-BY", "Fronleichnam", "en", "Corpus Christi"),
    ("IE", "Christmas Day", "nl", "Kerstmis"),
    ("NL", "Koningsdag", "fr", "King's Day"),
    ("NL", "a day that is not in the calendar", "fr", "a day that is not in the calendar"),
]


@pytest.mark.parametrize(("region", "name", "language", "said"), HOLIDAYS)
def test_a_holiday_has_its_name_in_the_language_or_in_english(
    region: str, name: str, language: str, said: str
) -> None:
    assert Calendar((region,)).name_in(language, name, 2026) == said


@settings(deadline=None)
@given(routes, st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_each_turn_of_a_random_route_has_its_words(route: list[Raw], now: datetime) -> None:
    number = service_number(route, holidays="BE")
    facts = number.facts(now, Caller(Presentation.SHOWN, "+31612345678"))
    for node in rehearse(number, facts, presses=["1", "2"], live=3).path:
        if isinstance(node, Turn):
            assert any(pattern.fullmatch(node.why) for _, pattern in REASONS), node.why
            assert node.step in texts("nl")["steps"]


def test_a_route_is_a_tree_with_the_names_of_its_branches() -> None:
    number = service_number(
        [
            {"hours": {"open": "mon-fri 09:00-17:00", "closed": [{"voicemail": "closed"}]}},
            {"menu": {"prompt": "welcome", "keys": {"1": [{"ring": "+3221112233"}]}}},
            {"voicemail": {}},
        ]
    )
    hours, menu, voicemail = route(number.route, "en")
    assert [(name, [it.what for it in steps]) for name, steps in hours.branches] == [
        ("When closed", ["Voicemail"])
    ]
    assert [(name, [it.text for it in steps]) for name, steps in menu.branches] == [
        ("Key 1", ["+3221112233"])
    ]
    assert voicemail.what == "Voicemail"


@pytest.mark.parametrize(
    ("header", "language"),
    [("nl-BE,nl;q=0.9,en;q=0.8", "nl"), ("pt, de;q=0.5", "de"), ("", "en"), ("xx;q=5, fr;q=no", "en"),
     ("en;q=0.1, es", "es"), (",;=" * 500, "en")],
)  # fmt: skip
def test_the_browsers_language_is_taken(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_plot_shows_what_its_table_says() -> None:
    plot = stacked([("a", {"x": 3, "y": 1}), ("b", {"x": 0, "y": 2})], ["x", "y"])
    assert [bar.group for bar in plot.bars] == ["x", "y", "y"]
    heights = [bar.height for bar in plot.bars]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.2)
    assert all(bar.y >= 0 and bar.y + bar.height <= plot.base + 0.1 for bar in plot.bars)
    assert stacked([("a", {})], ["x"]).bars == ()


@pytest.mark.parametrize(("value", "top"), [(0, 2), (2, 2), (3, 4), (5, 10), (11, 20), (999_999, 1_000_000)])
def test_an_axis_ends_at_a_round_number(value: int, top: int) -> None:
    assert ceiling(value) == top


def test_a_place_survives_its_address_and_nothing_else_is_one() -> None:
    at = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
    assert read_place(instant_text(at, "abc-1")) == (at, "abc-1")
    for wrong in ("x", "1", "_", "1_A", "1_a b", "-1_a", "9" * 18 + "_a", "1_a\n"):
        with pytest.raises(web.HTTPNotFound):
            read_place(wrong)
    with pytest.raises(web.HTTPNotFound):
        read_number("1e3")
    assert read_place("") is None


def test_a_filter_is_sealed_for_one_owner() -> None:
    key = new_master_key()
    secrets, later = Secrets(key), Secrets(f"{new_master_key()},{key}")
    sealed = secrets.seal("acme", {"caller": "+32470111222"})
    assert "470" not in sealed
    assert later.open("acme", sealed) == {"caller": "+32470111222"}
    for owner, text in (("bakery", sealed), ("acme", sealed[:-2]), ("acme", "é"), ("acme", "")):
        with pytest.raises(SealBroken):
            secrets.open(owner, text)


def test_a_token_is_random_and_has_one_form() -> None:
    assert new_token() != new_token()
    assert is_token(new_token())
    assert not any(map(is_token, ("", "x", "x" * 44, "é" * 43, " " * 43)))


def test_a_filter_takes_days_of_the_owners_zone() -> None:
    wanted = as_filter(Asked(since="2026-10-25", until="2026-10-25", outcome="missed"), BRUSSELS, [])
    assert wanted.since == datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert wanted.until == datetime(2026, 10, 25, 23, tzinfo=UTC)  # the day has 25 hours
    assert wanted.outcomes == GROUPS["missed"]
    for wrong in (Asked(since="soon"), Asked(until="9999-12-31"), Asked(outcome="x"), Asked(caller="x'")):
        with pytest.raises(WrongFilter):
            as_filter(wrong, BRUSSELS, [])


def test_a_workbook_is_whole_and_its_texts_are_texts() -> None:
    book = Workbook()
    data = book.add([["=1+1", "<&>", "\x00\x0b", None, 2.5, True]]) + book.add([["+32"]]) + book.end()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert '<t xml:space="preserve">=1+1</t>' in sheet
    assert "&lt;&amp;&gt;" in sheet
    assert "\x00" not in sheet
    assert "<v>2.5</v>" in sheet


def test_instants_and_lengths_are_said_as_people_do() -> None:
    at = datetime(2026, 11, 24, 13, 5, 7, tzinfo=UTC)
    assert instant(at, BRUSSELS, "nl") == "24 nov 2026, 14:05:07"
    assert instant(None, BRUSSELS, "nl") == ""
    assert [length(seconds) for seconds in (None, 0, 0.3, 61, 3723)] == ["", "", "0:01", "1:01", "1:02:03"]


def test_no_filter_of_ours_replaces_one_of_jinja() -> None:
    assert set(FILTERS) & set(jinja2.Environment().filters) == set()  # noqa: S701 - nothing is rendered
