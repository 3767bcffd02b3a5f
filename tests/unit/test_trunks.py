"""Further carriers: their files, what is wrong with them, and what Asterisk gets."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import main
from config.errors import ConfigErrors
from config.trunks import NO_TRUNKS, load_trunks
from engine import fallback
from engine.ari.connect import trunk_of
from engine.included import replace
from engine.trunk_sections import render
from engine.trunk_states import TrunkStates
from engine.trunk_terms import variables_of

BETA = """
host: sip.beta.example:5061
transport: tls
srtp: true
addresses: [198.51.100.7, "2001:db8:1::/64"]
user: "4711"
registration: true
codecs: [g722, alaw]
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name.replace('_', '-')}.yaml").write_text(text)
    return tmp_path


def errors(tmp_path: Path, **files: str) -> str:
    with pytest.raises(ConfigErrors) as caught:
        load_trunks(folder(tmp_path, **files))
    return "\n".join(map(str, caught.value.errors))


def test_trunks_are_tried_in_order_after_that_of_pjsip_conf(tmp_path: Path) -> None:
    trunks = load_trunks(
        folder(tmp_path, alpha="host: a.example\norder: 3", beta="host: b.example\norder: 2")
    )
    assert trunks.names == ("trunk", "beta", "alpha")
    assert variables_of(trunks, "32") == {"NEXT_trunk": "beta", "NEXT_beta": "alpha"}
    assert variables_of(NO_TRUNKS, "32") == {}
    assert load_trunks(tmp_path / "none") == NO_TRUNKS


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("host: a.example\nsrtp: true", "with `srtp` write `transport: tls`"),
        ("host: a.example\nregistration: true", "with `registration` write the `user`"),
        ("host: a.example\naddresses: ['::/0']", "is open to too many"),
        ("host: a.example\naddresses: [0.0.0.0/0]", "is open to too many"),
        ("host: a.example\naddresses: [sip.a.example]", "is not an address or network"),
        ("host: 'a.example;lr'", "write HOST or HOST:PORT"),
        ("host: a.example\nuser: 'a\\nb'", "a user has letters"),
        ("host: a.example\ncodecs: [gsm]", "gsm"),
        ("host: a.example\ncolour: red", "colour"),
        ("order: 1", "host"),
        ("host: a.example\nnumbers: national", "write the `country`"),
        ("host: a.example\nnumbers: local", "local"),
        ("host: a.example\ncountry: '032'", "the calling code without a +"),
        ("host: a.example\nidentity_number: '+3225550000'", "write the `identity` that has it"),
        ("host: a.example\ncontact: '+3225550000'", "`contact` is that of a registration"),
        ("host: a.example\nipv6: true\ntransport: tls", "with `ipv6` write `transport: udp`"),
        ("host: a.example\ndomain: 'a b'", "write a name such as"),
        ("host: a.example\ncalls: -1", "calls"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    found = errors(tmp_path, beta=text)
    assert why in found
    assert str(tmp_path / "beta.yaml") in found


@pytest.mark.parametrize("name", ["from", "beta2", "Beta", "a.b"])
def test_a_name_that_asterisk_needs_itself_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot be a trunk's" in errors(tmp_path, **{name: "host: a.example"})


def test_asterisk_gets_ten_endpoints_a_login_a_registration_and_the_addresses(tmp_path: Path) -> None:
    text = render(load_trunks(folder(tmp_path, beta=BETA)), {"beta": "secret"}, "")
    lines = text.splitlines()
    endpoints = [f"[beta{n}](beta_all)" for n in ("", *range(10))]
    assert [line for line in lines if line.endswith("](beta_all)")] == endpoints
    assert lines.count("permit = 198.51.100.7") == lines.count("permit = 2001:db8:1::/64") == 10
    for line in (
        "transport = tls",
        "media_encryption = sdes",
        "allow = g722,alaw",
        "contact = sip:sip.beta.example:5061\\;transport=tls",
        "password = secret",
        "client_uri = sip:4711@sip.beta.example:5061\\;transport=tls",
    ):
        assert line in lines
    assert render(NO_TRUNKS, {}, "") == ""


def test_the_file_is_not_open_to_others_at_any_moment(tmp_path: Path) -> None:
    replace(tmp_path / "trunks.conf", lambda _: "secret", 0o640)
    assert (tmp_path / "trunks.conf").stat().st_mode & 0o777 == 0o640


def test_the_order_of_trunks_is_with_the_fallbacks_and_a_removed_one_is_emptied() -> None:
    first = fallback.render({}, "", {"NEXT_trunk": "beta", "NEXT_beta": "gamma"})
    assert "NEXT_trunk=beta" in first
    assert "NEXT_beta=\n" in fallback.render({}, first, {"NEXT_trunk": "beta"})
    assert "NEXT_beta=gamma" in fallback.render({}, first)


@pytest.mark.parametrize(
    ("channel", "trunk"),
    [
        ("PJSIP/beta3-0000a1f2", "beta"),
        ("PJSIP/trunk-00000001", "trunk"),
        ("PJSIP/two-words0-00000001", "two-words"),
        ("Local/1@x-00000001;1", ""),
    ],
)
def test_a_leg_knows_its_trunk_by_its_channel(channel: str, trunk: str) -> None:
    assert trunk_of(channel) == trunk


class Endpoints:
    def __init__(self) -> None:
        self.states = {"trunk0": "online", "beta0": "offline"}

    async def get(self, _tech: str, resource: str) -> str:
        return self.states[resource]


async def test_a_trunk_that_is_down_is_a_warning_until_it_is_back() -> None:
    endpoints = Endpoints()
    names = ["trunk", "beta"]
    states = TrunkStates(lambda: names, endpoints)
    for _ in range(2):
        await states.look()
    assert states.up == {"trunk": True, "beta": False}
    assert states.warnings == ["trunk beta does not answer: calls take the next one, if any"]
    endpoints.states["beta0"] = "unknown"
    await states.look()
    assert states.warnings == []


async def test_a_trunk_that_asterisk_has_not_asked_yet_is_not_down() -> None:
    """It is offline from the change of its file, or the start of Asterisk, until it has answered OPTIONS."""
    endpoints = Endpoints()
    states = TrunkStates(lambda: ["trunk", "beta"], endpoints)
    for state in ("offline", "online", "offline", "online"):
        endpoints.states["beta0"] = state
        await states.look()
        assert states.down == set()


def test_a_trunk_at_another_host_is_another_for_asterisk_which_asks_it_at_once(tmp_path: Path) -> None:
    """Asterisk would otherwise ask at its next turn only, `qualify_seconds` later."""

    def aor(text: str) -> str:
        written = render(load_trunks(folder(tmp_path, beta=text)), {}, "").splitlines()
        name = written[written.index("type = aor") - 1].strip("[]")
        assert f"aors = {name}" in written
        return name

    first = aor("host: a.example")
    assert first != aor("host: b.example")
    assert first == aor("host: a.example\ncalls: 3")


def test_the_command_checks_and_lists_them(tmp_path: Path) -> None:
    folder(tmp_path, beta=BETA)
    done = CliRunner().invoke(main, ["trunks", str(tmp_path)])
    assert done.output.splitlines()[1] == "2  beta  sip.beta.example:5061, tls, SRTP, g722 alaw"
    folder(tmp_path, gamma="host: 1")
    (tmp_path / "gamma.yaml").write_text("x: 1")
    assert CliRunner().invoke(main, ["trunks", str(tmp_path)]).exit_code == 1
