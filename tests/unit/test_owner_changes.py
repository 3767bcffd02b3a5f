"""What an owner changes of their own settings, over the operator's file."""

import os
import re
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.owner_changes import FILE, changes_in, write
from dialplan.number import Owner
from dialplan.owner_changes import CHANGEABLE, as_written, changed
from dialplan.period import read_period, written_period

OWNER = Owner.model_validate(
    {
        "name": "ACME Dentists",
        "language": "nl",
        "mail": ["office@acme.example", "desk@acme.example"],
        "mail_then": "boss@acme.example",
        "keep_recordings": "30 days",
        "anonymise_after": "26 weeks",
        "recording_notice": "we-record",
    }
)


@pytest.mark.parametrize("written", ["1 hour", "36 hours", "1 day", "30 days", "9999 hours", "3653 days"])
def test_a_period_is_written_as_it_is_read(written: str) -> None:
    assert written_period(read_period(written)) == written
    assert written_period(read_period("2 weeks")) == "14 days"


def test_an_owner_as_written_is_the_same_owner() -> None:
    written = {name: value for name, value in as_written(OWNER).items() if value is not None}
    assert Owner.model_validate(written) == OWNER
    assert changed(OWNER, {}) is OWNER


def test_changes_lie_over_the_file_and_change_nothing_else() -> None:
    mine = changed(OWNER, {"language": "fr", "mail": ["new@acme.example"], "keep_recordings": "14 days"})
    assert (mine.language, mine.mail, mine.keep_recordings) == (
        "fr",
        ("new@acme.example",),
        timedelta(days=14),
    )
    same = {"name", "mail_then", "audio", "anonymise_after", "recording_notice", "recordings"}
    assert all(getattr(mine, name) == getattr(OWNER, name) for name in same)
    assert changed(OWNER, {"mail_then": None}).mail_then is None


def test_what_an_owner_may_not_change_stays_as_the_file_has_it() -> None:
    assert changed(OWNER, {"require_tls": True, "caller_may_stop": True, "anonymise_after": None}) == OWNER
    assert set(CHANGEABLE) < set(Owner.model_fields)


def test_the_table_takes_every_setting_that_an_owner_may_change() -> None:
    text = (resources.files("storage") / "migrations" / "028_owner_changes.sql").read_text("utf-8")
    check = re.search(r"setting IN \(([^)]*)\)", text)
    assert check
    assert set(re.findall("'([a-z_]+)'", check[1])) == set(CHANGEABLE)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("language", "it"),
        ("mail", ["office@acme.example\r\nBcc: x@evil.example"]),
        ("mail", []),
        ("audio", "flac"),
        ("keep_recordings", "0 days"),
        ("keep_recordings", "9 years"),
        ("name", "a\nb"),
        ("missed_calls", "yes"),
    ],
)
def test_a_change_is_held_to_the_rules_of_the_file(setting: str, value: object) -> None:
    alone = OWNER.model_copy(update={"mail_then": "boss@acme.example"})
    with pytest.raises(ValidationError):
        changed(alone, {setting: value})


def test_an_engine_and_a_portal_see_what_the_worker_has_written(tmp_path: Path) -> None:
    changes = changes_in(tmp_path)
    assert changes.apply("acme", OWNER) is OWNER
    write(tmp_path / FILE, {"acme": {"language": "fr"}})
    assert changes.read()
    assert changes.apply("acme", OWNER).language == "fr"
    assert changes.apply("bakery", OWNER) is OWNER
    assert changes.apply("acme", OWNER) is changes.apply("acme", OWNER)
    assert changes.apply_all({"acme": OWNER, "bakery": OWNER})["bakery"] is OWNER
    assert not changes.read()
    write(tmp_path / FILE, {})
    assert changes.read()
    assert changes.apply("acme", OWNER) is OWNER


def test_another_file_of_the_operator_is_another_ground(tmp_path: Path) -> None:
    write(tmp_path / FILE, {"acme": {"language": "fr"}})
    changes = changes_in(tmp_path)
    assert changes.apply("acme", OWNER).name == "ACME Dentists"
    assert changes.apply("acme", OWNER.model_copy(update={"name": "ACME"})).name == "ACME"


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"acme": 1}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_changes_nothing_and_the_next_good_one_counts(tmp_path: Path, damaged: bytes) -> None:
    write(tmp_path / FILE, {"acme": {"language": "fr"}})
    changes = changes_in(tmp_path)
    (tmp_path / FILE).write_bytes(damaged)
    assert not changes.read()
    assert changes.apply("acme", OWNER).language == "fr"
    write(tmp_path / FILE, {"acme": {"language": "de"}})
    assert changes.read()
    assert changes.apply("acme", OWNER).language == "de"


def test_a_change_that_the_file_does_not_allow_any_more_is_ignored_and_logged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / FILE, {"acme": {"missed_calls": "mail"}})
    changes = changes_in(tmp_path)
    without_mail = Owner(name="ACME Dentists")
    for _ in range(3):
        assert changes.apply("acme", without_mail) is without_mail
    assert capsys.readouterr().out.count("owner_change_unusable") == 1


def test_the_file_is_for_the_service_alone_and_replaced_whole(tmp_path: Path) -> None:
    write(tmp_path / FILE, {"acme": {"mail": ["x@acme.example"]}})
    assert os.stat(tmp_path / FILE).st_mode & 0o007 == 0
    assert [file.name for file in tmp_path.iterdir()] == [FILE]
