"""A quickstart with a registration at the carrier and with a bucket: what it writes, and what it asks."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from cli.quickstart.contents import SECRET, files_of
from cli.quickstart.made import Made
from cli.quickstart.own_call import way_in
from cli.quickstart.setting_up import plan
from cli.quickstart.wish import Passwords, QuickstartError, Wish
from config.settings import load_settings
from config.trunks import load_trunks
from engine.ari.client import Client
from tests.unit.test_quickstart import OPTIONS, WISH

LOGIN = replace(WISH, login="4711", login_password="of-the-carrier")
BUCKET = replace(
    WISH, bucket="voice", endpoint="https://s3.example:9000", access_key="AKIA1", secret_key="of-the-bucket"
)


def test_a_registration_is_a_trunk_file_and_a_credential_of_the_engine(tmp_path: Path) -> None:
    files = files_of(LOGIN, Passwords.new(), tmp_path)
    folder = tmp_path / "etc/callengine"
    (tmp_path / "trunks").mkdir()
    (tmp_path / "trunks/trunk.yaml").write_text(files[folder / "trunks/trunk.yaml"].text)
    trunk = load_trunks(tmp_path / "trunks").by_name["trunk"]
    assert (trunk.host, trunk.user, trunk.registration) == (WISH.carrier, "4711", True)
    assert trunk.contact == WISH.number
    assert trunk.addresses == (WISH.carrier_address,)
    password = files[folder / "credentials/trunk_passwords__trunk"]
    assert (password.text, password.mode) == ("of-the-carrier\n", SECRET)
    assert 'trunks = "/etc/callengine/trunks"\n' in files[folder / "callengine.toml"].text
    drop_in = files[tmp_path / "etc/systemd/system/callengine-engine.service.d/quickstart-login.conf"]
    assert "LoadCredential=trunk_passwords__trunk:/etc/callengine/credentials/trunk_pass" in drop_in.text


def test_a_bucket_is_in_the_settings_and_its_secret_a_credential_of_each_unit_that_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    files = files_of(BUCKET, Passwords.new(), tmp_path)
    Made(tmp_path / "quickstart.json").write(files)
    objects = load_settings(tmp_path / "etc/callengine/callengine.toml").objects
    assert (objects.bucket, objects.endpoint) == ("voice", BUCKET.endpoint)
    assert (objects.access_key, objects.secret_key.get_secret_value()) == ("AKIA1", "of-the-bucket")
    units = {path.parent.name for path in files if path.name == "quickstart-bucket.conf"}
    assert units == {f"callengine-{unit}.service.d" for unit in ("worker", "audit", "portal")}


def test_an_undo_leaves_no_empty_folder_of_drop_ins_and_none_of_another_program(tmp_path: Path) -> None:
    Made(tmp_path / "quickstart.json").write(files_of(BUCKET, Passwords.new(), tmp_path))
    units = tmp_path / "etc/systemd/system"
    (units / "callengine-audit.service.d/own.conf").write_text("[Service]\n")
    Made.at(tmp_path).unwrite()
    assert [folder.name for folder in units.iterdir()] == ["callengine-audit.service.d"]


@pytest.mark.parametrize("wish", [LOGIN, BUCKET])
def test_the_plan_shows_no_secret_of_the_operator(wish: Wish) -> None:
    text = "\n".join(plan(wish))
    assert "of-the" not in text
    assert "of-the" not in repr(wish)
    assert ("make the bucket voice" in text) == (wish is BUCKET)


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        (replace(LOGIN, login_password=""), "its password is missing: QUICKSTART_LOGIN_PASSWORD"),
        (replace(BUCKET, access_key=""), "write --access-key"),
        (replace(BUCKET, secret_key=""), "QUICKSTART_SECRET_KEY"),
    ],
)
def test_a_missing_secret_is_named(wish: Wish, complaint: str) -> None:
    with pytest.raises(QuickstartError) as refused:
        wish.check()
    assert complaint in str(refused.value)


def test_a_secret_is_taken_from_the_environment_or_asked_without_an_echo() -> None:
    wanted = [*OPTIONS, "--sender", "vm@provider.example", "--login", "4711"]
    asked = CliRunner().invoke(main, ["quickstart", "--dry-run", *wanted], input="of-the-carrier\n")
    assert "Password of the login at the carrier:" in asked.output
    variable = {"QUICKSTART_LOGIN_PASSWORD": "of-the-carrier"}
    taken = CliRunner(env=variable).invoke(main, ["quickstart", "--dry-run", *wanted])
    for shown in (asked, taken):
        assert shown.exit_code == 0, shown.output
        assert "user: '4711'" in shown.output
        assert "of-the-carrier" not in shown.output
    assert "Password of the login" not in taken.output


class Reloads:
    """Asterisk's reloads, and whether the file was there at each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: list[bool] = []
        self.asterisk = self

    async def reload_module(self, module: str) -> None:
        assert module == "res_pjsip.so"
        self.seen.append((self.folder / "quickstart.conf").exists())


async def use(folder: Path, client: Reloads) -> str:
    """Use the way in, and fail; what the file has meanwhile."""
    async with way_in(folder, cast("Client", client), "192.0.2.10:5060") as channel:
        assert channel == "PJSIP/{number}@quickstart"
        file = folder / "quickstart.conf"
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        raise ZeroDivisionError(file.read_text())


def test_the_way_in_of_the_test_call_is_open_only_while_it_lasts(tmp_path: Path) -> None:
    client = Reloads(tmp_path)
    with pytest.raises(ZeroDivisionError) as ended:
        asyncio.run(use(tmp_path, client))
    assert client.seen == [True, False]
    assert list(tmp_path.iterdir()) == []
    text = str(ended.value)
    assert text.count("permit = 192.0.2.10\n") == 10
    assert "contact = sip:192.0.2.10:5060\n" in text
    included = Path(__file__).parents[2] / "asterisk/etc/pjsip.conf"
    assert "#tryinclude quickstart.conf\n" in included.read_text()
