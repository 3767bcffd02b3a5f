"""A quickstart: what it writes can be used, shows no password, and is taken back."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from cli.quickstart.contents import files_of
from cli.quickstart.host import CREATE
from cli.quickstart.made import Made, write_whole
from cli.quickstart.setting_up import plan
from cli.quickstart.wish import Passwords, QuickstartError, Wish
from config.load import load
from config.policy import Policy
from config.settings import Destinations, load_settings
from storage.stores import key_wrapper_of

ROOT = Path(__file__).resolve().parents[2]
WISH = Wish(
    sip="192.0.2.10:5060",
    carrier="sip.carrier.example:5060",
    carrier_address="192.0.2.1",
    number="+3270012345",
    owner='ACME Tandartsen: A "B" Co.',
    owner_mail="office@acme.example",
    sender="voicemail@provider.example",
    smarthost="smtp.provider.example",
    destination="+3221112233",
)
OPTIONS = [
    *("--sip", WISH.sip, "--carrier", WISH.carrier, "--carrier-address", WISH.carrier_address),
    *("--number", WISH.number, "--owner", WISH.owner, "--owner-mail", WISH.owner_mail),
]


def test_what_it_writes_are_settings_credentials_and_a_route_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    passwords = Passwords.new()
    made = Made(tmp_path / "quickstart.json")
    made.write(files_of(WISH, passwords, tmp_path))

    settings = load_settings(tmp_path / "etc/callengine/callengine.toml")
    assert settings.ari.password.get_secret_value() == passwords.ari
    assert settings.database.get_secret_value().startswith(
        f"postgresql://callengine_worker:{passwords.worker}@"
    )
    assert settings.mail.sender == WISH.sender
    assert key_wrapper_of(settings)
    routing = load(tmp_path / "etc/callengine/routing", Policy(Destinations().countries))
    (number,) = routing.numbers.values()
    assert (number.number, routing.owners[number.owner].name) == (WISH.number, WISH.owner)


def test_passwords_are_for_root_alone_and_are_not_shown(tmp_path: Path) -> None:
    passwords = Passwords.new()
    made = Made(tmp_path / "quickstart.json")
    files = files_of(WISH, passwords, tmp_path)
    made.write(files)
    secret = {getattr(passwords, name) for name in ("owner", "worker", "ari", "events", "master_key")}
    for path, content in files.items():
        if any(password in content.text for password in secret):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert not any(password in content.shown for password in secret)
    assert stat.S_IMODE(made.file.stat().st_mode) == 0o600


def test_what_was_there_before_is_there_again_and_what_is_new_is_gone(tmp_path: Path) -> None:
    settings = tmp_path / "etc/callengine/callengine.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("# as the package has it\n")
    files = files_of(WISH, Passwords.new(), tmp_path)
    Made(tmp_path / "quickstart.json").write(files)
    Made.at(tmp_path).unwrite()
    assert settings.read_text() == "# as the package has it\n"
    assert [path for path in files if path.exists()] == [settings]


def test_what_is_about_to_be_made_is_listed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(WISH, Passwords.new(), tmp_path)

    def fail_at_the_first_file(path: Path, content: object) -> None:
        if path.suffix != ".draft":
            raise OSError("no space left")
        write_whole(path, content)  # type: ignore[arg-type]

    monkeypatch.setattr("cli.quickstart.made.write_whole", fail_at_the_first_file)
    with pytest.raises(OSError, match="no space"):
        Made(tmp_path / "quickstart.json").write(files)
    assert set(Made.at(tmp_path).files) == set(map(str, files))


def test_the_database_is_that_of_the_guide() -> None:
    guide = (ROOT / "docs/operating.md").read_text("utf-8").partition("```sql\n")[2].partition("```")[0]
    assert statements(CREATE) == statements(guide)


def statements(sql: str) -> list[str]:
    """Each line without its comment and its password."""
    return [re.sub(r"'[^']*'| *--.*", "", line) for line in sql.strip().splitlines()]


def test_without_a_quickstart_there_is_nothing_to_undo(tmp_path: Path) -> None:
    with pytest.raises(QuickstartError, match=r"quickstart.json is missing"):
        Made.at(tmp_path)


def test_the_plan_has_every_file_and_no_password() -> None:
    text = "\n".join(plan(WISH))
    assert "write /etc/callengine/credentials/master_key\n  (a password)" in text
    assert "postgresql://" not in text
    assert text.endswith(f"call {WISH.number}, and wait for its record")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"sip": "192.0.2.10"}, "--sip 192.0.2.10: write HOST:PORT"),
        ({"number": "070012345"}, "--number 070012345: write it as in +3270012345"),
        ({"carrier_address": "sip.carrier.example"}, "write an address, as in 192.0.2.1"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    changed: dict[str, str], complaint: str
) -> None:
    with pytest.raises(QuickstartError) as refused:
        replace(WISH, **changed).check()
    assert complaint in str(refused.value)


def test_what_is_not_given_is_asked() -> None:
    shown = CliRunner().invoke(main, ["quickstart", "--dry-run", *OPTIONS], input="vm@provider.example\n")
    assert shown.exit_code == 0
    assert "Sender of these mails: vm@provider.example" in shown.output
    assert 'sender = "vm@provider.example"' in shown.output
