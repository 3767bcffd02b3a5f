"""`callengine explain --call`: a past call's path, by the routing version that it began under."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.commands.explain import command
from cli.past_call import NOTE, explained
from config.load import load
from config.policy import Policy
from config.versions import Versions
from dialplan.number import Owner, ServiceNumber
from dialplan.result import Answer, Outcome
from dialplan.routing import Routing
from storage.records import CallRecord, LegRecord
from storage.retracing import Known, PastStep, retrace
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number

ID = "018f0000-0000-7000-8000-000000000001"
TUESDAY_10 = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
A, B = "+3221112233", "+32470111222"
ROUTE: list[Raw] = [
    {"announce": "welcome"},
    {"hours": {"open": "mon-fri 09:00-17:00", "closed": [{"voicemail": "closed"}]}},
    {"ring": {"to": [A, B], "seconds": "20", "busy": [{"announce": "all-busy"}, {"ring": B}]}},
    {"voicemail": {}},
]


def leg(to: str, outcome: str, *, ended: float = 10, answered: bool = False) -> LegRecord:
    at = TUESDAY_10 + timedelta(seconds=1)
    end = TUESDAY_10 + timedelta(seconds=ended) if outcome else None
    return LegRecord(f"{ID}-{to}", to, at, answered=at if answered else None, ended=end, outcome=outcome)


def past(outcome: str, *legs: LegRecord, **more: Any) -> CallRecord:
    record = CallRecord(ID, "+3270012345", "acme", "+32470999888", False, TUESDAY_10, "here")
    ended = TUESDAY_10 + timedelta(seconds=30)
    return replace(record, ended=ended, outcome=outcome, legs=legs, **more)


def number() -> ServiceNumber:
    return service_number(ROUTE)


def steps(record: CallRecord) -> list[tuple[str, Answer | None, Known]]:
    path = retrace(record, number()).path
    return [
        (passed.step.step, passed.outcome, passed.known) for passed in path if isinstance(passed, PastStep)
    ]


WELCOME = ("announce", Outcome.DONE, Known.SUPPOSED)


def test_the_destination_that_talked_took_the_call() -> None:
    record = past("answered", leg(A, "no_answer"), leg(B, "taken", answered=True), delivered_to=B)
    assert steps(record) == [WELCOME, ("ring", Outcome.TAKEN, Known.ATTEMPTS)]
    assert retrace(record, number()).result == "answered"


def test_attempts_belong_to_their_rings_in_order() -> None:
    record = past("no_answer", leg(A, "busy"), leg(B, "busy"), leg(B, "no_answer", ended=25))
    assert steps(record) == [
        WELCOME,
        ("ring", Outcome.BUSY, Known.ATTEMPTS),
        WELCOME,
        ("ring", Outcome.NO_ANSWER, Known.ATTEMPTS),
    ]
    assert retrace(record, number()).result == "no_answer"


def test_a_message_is_an_outcome() -> None:
    record = past("voicemail", leg(A, "no_answer"), leg(B, "unreachable"), message_id="m", answered=SATURDAY)
    assert steps(record)[1:] == [
        ("ring", Outcome.NO_ANSWER, Known.ATTEMPTS),
        ("voicemail", Outcome.DONE, Known.MESSAGE),
    ]


def test_the_hours_are_those_of_then() -> None:
    record = past("voicemail", began=SATURDAY, message_id="m")
    turn = next(passed for passed in retrace(record, number()).path if not isinstance(passed, PastStep))
    assert turn.why.startswith("closed: sat 10:00")
    assert steps(record) == [WELCOME, ("voicemail", Outcome.DONE, Known.MESSAGE)]


def test_a_caller_who_left_while_it_rang_left_there() -> None:
    record = past("abandoned", leg(A, "no_answer", ended=30), leg(B, "no_answer", ended=30.02))
    assert steps(record) == [WELCOME, ("ring", None, Known.LEFT)]
    assert retrace(record, number()).result is None


def test_where_a_caller_left_before_any_attempt_is_not_known() -> None:
    assert steps(past("abandoned")) == [WELCOME, ("ring", None, Known.NOT)]


def test_a_caller_who_left_before_the_message_left_there() -> None:
    record = past("abandoned", leg(A, "no_answer"), leg(B, "no_answer"))
    assert steps(record)[-1] == ("voicemail", None, Known.NOT)


def test_a_talk_whose_end_was_not_seen_was_a_talk() -> None:
    record = past("lost", leg(A, ""), leg(B, "", answered=True), delivered_to=B)
    assert steps(record)[-1] == ("ring", Outcome.TAKEN, Known.ATTEMPTS)


def test_a_ring_without_an_attempt_failed() -> None:
    record = past("failed")
    assert steps(record)[1:] == [
        ("ring", Outcome.FAILED, Known.NOT),
        ("voicemail", Outcome.FAILED, Known.MESSAGE),
    ]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A state folder with one kept version, whose routing folder is gone; and the settings of it."""
    folder, state = good_folder(tmp_path / "routing"), tmp_path / "state"
    (folder / "numbers" / "main.yaml").write_text(
        NUMBER.replace("ring: +3221112233", "ring: {to: +3221112233, busy: [announce: welcome]}")
    )
    digest = load(folder, Policy()).digest
    versions = Versions(state / "routing-versions")
    versions.store(folder, digest)
    versions.enter(digest, (), TUESDAY_10)
    shutil.rmtree(folder)
    (state / "callengine.toml").write_text(f'state = "{state}"\nrouting = "{folder}"\nhistory_days = 30\n')
    return state


def digest_in(house: Path) -> str:
    return (house / "routing-versions" / "in-force").readlink().name


def explain(house: Path, record: CallRecord | None, monkeypatch: pytest.MonkeyPatch, *options: str) -> Result:
    async def fetch(*_: object) -> CallRecord | None:
        return record

    monkeypatch.setattr("cli.commands.explain._fetch", fetch)
    return CliRunner().invoke(command, ["--call", ID, "--state", str(house), *options])


def test_a_past_call_is_printed_step_by_step(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = digest_in(house)
    busy = replace(leg(A, "busy"), cause=17)
    record = past("busy", busy, ended_by="engine", cause=17, routing=digest, caller="", withheld=True)
    done = explain(house, record, monkeypatch)
    assert done.exit_code == 0, done.output
    assert done.output == (
        f"call {ID}, routing version {digest}\n"
        "+3270012345 of acme (ACME)\n"
        "called by a caller whose number is withheld on Tue 2026-11-24 10:00 CET, Europe/Brussels\n"
        "\n"
        "  1  Mededeling: welcome -> gedaan\n"
        "  2  Bellen: +3221112233 -> bezet (from its attempts)\n"
        "       +3221112233: bezet, cause 17 (Q.850)\n"
        "  3  Mededeling: welcome -> gedaan\n"
        "\n"
        "bezet, ended by engine, cause 17 (Q.850)\n"
        f"{NOTE}\n"
    )


CHRISTMAS = datetime(2026, 12, 25, 9, 0, tzinfo=UTC)
WORDS = {
    "nl": "Openingsuren: gesloten: Kerstmis; opent op 2026-12-28 om 09:00",
    "fr": "Heures d'ouverture: fermé : Noël ; ouvre le 2026-12-28 à 09:00",
    "de": "Öffnungszeiten: geschlossen: Weihnachten; öffnet am 2026-12-28 um 09:00",
    "es": "Horario: cerrado: Natividad del Señor; abre el 2026-12-28 a las 09:00",
    "en": "Opening hours: closed: Christmas Day; opens on 2026-12-28 at 09:00",
}


@pytest.mark.parametrize("language", WORDS)
def test_the_reason_is_said_in_the_owners_language(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = service_number([{"hours": "mon-fri 09:00-17:00"}], holidays="BE")
    routing = Routing({number.key: number}, {"acme": Owner(name="ACME", language=language)}, {}, "d1", {})
    record = replace(past("closed"), began=CHRISTMAS)
    told = explained(record, number, routing)
    assert f"  1  {WORDS[language]}\n" in told.text()
    assert told.data()["path"][0]["said"] == WORDS[language].partition(": ")[2]
    in_english = explained(record, number, routing, "en")
    assert WORDS["en"] in in_english.text()


def test_programs_get_the_same_as_json(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = past("busy", leg(A, "busy"), routing=digest_in(house))
    printed = json.loads(explain(house, record, monkeypatch, "--format", "json").output)
    assert (printed["call_id"], printed["result"], printed["walked_to"]) == (ID, "busy", "busy")
    assert [(step["path"], step["outcome"], step["known"]) for step in printed["path"]] == [
        (["route", 0, "announce"], "done", "supposed"),
        (["route", 1, "ring"], "busy", "from its attempts"),
        (["route", 1, "ring", "busy", 0, "announce"], "done", "supposed"),
    ]


def test_a_call_that_ended_otherwise_than_its_route_is_pointed_out(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = explain(house, past("failed", leg(A, "busy"), routing=digest_in(house)), monkeypatch)
    assert "The walk results in busy: the call did not end as its route says." in done.output


def test_a_version_that_is_not_kept_any_more_is_an_error_that_names_the_setting(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = explain(house, past("busy", routing="0" * 64), monkeypatch)
    assert done.exit_code == 1
    assert "is not kept in" in done.output
    assert "history_days (30)" in done.output


def test_a_damaged_version_explains_nothing(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (house / "routing-versions" / "in-force" / "owners" / "acme.yaml").unlink()
    done = explain(house, past("busy", routing=digest_in(house)), monkeypatch)
    assert (done.exit_code, "is damaged" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("record", "error"),
    [
        (None, "there is no record of call"),
        (past("busy"), "names no routing version"),
    ],
)
def test_a_call_that_cannot_be_explained_is_an_error(
    house: Path, monkeypatch: pytest.MonkeyPatch, record: CallRecord | None, error: str
) -> None:
    done = explain(house, record, monkeypatch)
    assert (done.exit_code, error in done.output) == (1, True)


TOO_MUCH = ["folder", "+3270012345", "--call", ID]


@pytest.mark.parametrize("arguments", [[], ["folder"], TOO_MUCH, ["--call", "x"]])
def test_either_a_past_call_or_a_supposed_one_is_explained(arguments: list[str]) -> None:
    assert CliRunner().invoke(command, arguments).exit_code == 2
