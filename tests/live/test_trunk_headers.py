"""What a carrier's file changes in SIP: forms of numbers, identity, forwarding, codecs, NAT: off the wire."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.phones import WITHHELD
from tests.live.carrier_file import FALLBACK, NUMBER, Bench, bench, user_of
from tests.live.sinks import canary

CALLER, OWN = "+32225551234", "+3225550000"
SHOWN = f"<sip:{CALLER}@caller.example>"
FORMS = {
    "plus": ("+3221112233", "+32225551234", "+31201234567"),
    "digits": ("3221112233", "32225551234", "31201234567"),
    "zeros": ("003221112233", "0032225551234", "0031201234567"),
    "national": ("021112233", "0225551234", "0031201234567"),
}
NATIONAL = "numbers: national\ncountry: 32\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("headers")) as running:
        yield running


@pytest.mark.parametrize("form", FORMS)
def test_numbers_are_written_as_the_carrier_wants_them(lab: Bench, form: str) -> None:
    """The destination, a caller of this country and one of another. The ledger has E.164."""
    lab.have(f"numbers: {form}\ncountry: 32")
    to, national, foreign = FORMS[form]
    invite = lab.invite(SHOWN)
    assert (invite.number, user_of(invite.one("from"))) == (to, national)
    assert f":486:{FALLBACK}" in lab.legs()
    assert user_of(lab.invite("<sip:+31201234567@caller.example>").one("from")) == foreign


@pytest.mark.parametrize("prefix", ["+32", "0032", "32", "0"])
def test_a_carrier_may_send_numbers_in_any_form(lab: Bench, prefix: str) -> None:
    """Dialled number and caller."""
    lab.have("numbers: plus")
    sender = f"<sip:{prefix}{CALLER[3:]}@caller.example>"
    invite = lab.invite(sender, number=f"{prefix}{NUMBER[3:]}")
    assert (invite.number, user_of(invite.one("from"))) == (FALLBACK, CALLER)


def test_without_a_form_callers_stay_as_they_came(lab: Bench) -> None:
    lab.have("")
    assert user_of(lab.invite("<sip:0225551234@caller.example>").one("from")) == "0225551234"


@pytest.mark.parametrize("user", ["switchboard", "0225551234"])
def test_a_caller_without_a_number_of_a_known_country_stays_as_it_came(
    lab: Bench, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.setattr(lab, "country", "")
    lab.have(f"identity: ppi\n{NATIONAL}")
    invite = lab.invite(f"<sip:{user}@caller.example>")
    assert (invite.number, user_of(invite.one("from"))) == ("021112233", user)
    assert invite.all("p-preferred-identity") == []


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ("identity: pai", "p-asserted-identity", CALLER),
        ("identity: ppi", "p-preferred-identity", CALLER),
        ("identity: ppi\nnumbers: digits", "p-preferred-identity", CALLER[1:]),
        (f"identity: pai\nidentity_number: '{OWN}'", "p-asserted-identity", OWN),
        (f"identity: ppi\nidentity_number: '{OWN}'", "p-preferred-identity", OWN),
        ("", "p-asserted-identity", ""),
    ],
)
def test_the_callers_identity_is_in_the_header_that_the_carrier_wants(
    lab: Bench, settings: str, header: str, value: str
) -> None:
    lab.have(settings)
    invite = lab.invite(SHOWN)
    assert list(map(user_of, invite.all(header))) == [value] * bool(value)
    others = {"p-asserted-identity", "p-preferred-identity", "remote-party-id"} - {header}
    assert [name for name in others if invite.all(name)] == []


def test_the_service_number_is_in_the_header_for_forwarded_calls(lab: Bench) -> None:
    lab.have("forwarding: diversion\ndomain: a.example")
    invite = lab.invite(SHOWN)
    assert invite.all("diversion") == [f"<sip:{NUMBER}@a.example>;reason=unconditional"]
    assert "@a.example>" in invite.one("from")
    lab.have(f"forwarding: history_info\ndomain: a.example\n{NATIONAL}")
    assert lab.invite(SHOWN).all("history-info") == [
        "<sip:070012345@a.example>;index=1",
        "<sip:021112233@a.example;cause=302>;index=1.1",
    ]


@pytest.mark.parametrize("way", WITHHELD)
@pytest.mark.parametrize(
    "settings",
    [
        f"identity: pai\nforwarding: diversion\n{NATIONAL}",
        f"identity: ppi\nforwarding: history_info\ndomain: a.example\n{NATIONAL}",
        f"identity: pai\nidentity_number: '{OWN}'",
        "identity: pai",
    ],
    ids=["pai and diversion", "ppi and history", "own number", "pai"],
)
def test_a_withheld_number_is_in_no_header_whatever_the_settings(lab: Bench, settings: str, way: str) -> None:
    secret = canary()
    who = WITHHELD[way](secret)
    lab.have(settings)
    headers = [f"{name}: {value}" for name, value in who.headers]
    invite = lab.invite(f'"{who.name}" <sip:{who.user}@{who.host}>', headers)
    assert user_of(invite.one("from")) == "anonymous"
    assert secret.removeprefix("+49") not in invite.text
    identities = invite.all("p-asserted-identity") + invite.all("p-preferred-identity")
    assert list(map(user_of, identities)) == ([OWN] if "identity_number" in settings else [])


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ("codecs: [ulaw, alaw]", ["PCMA/8000", "PCMU/8000", "telephone-event/8000"]),
        (
            "codecs: [g722, opus, alaw]",
            ["PCMA/8000", "G722/8000", "opus/48000/2", "telephone-event/48000", "telephone-event/8000"],
        ),
        (
            "codecs: [opus, ulaw]",
            ["opus/48000/2", "PCMU/8000", "telephone-event/48000", "telephone-event/8000"],
        ),
        ("codecs: [g722]\ndtmf: info", ["G722/8000"]),
    ],
)
def test_a_carrier_is_offered_its_codecs_and_keys_as_telephone_events(
    lab: Bench, settings: str, offered: list[str]
) -> None:
    """The caller's codec, A-law, comes first if the carrier has it: nothing is then converted."""
    lab.have(settings)
    codecs = re.findall(r"^a=rtpmap:\d+ (\S+)", lab.invite(SHOWN).text, re.M)
    assert sorted(codecs) == sorted(offered)
    assert codecs[0] == offered[0]


def test_behind_nat_the_public_address_is_in_sip_and_sdp(tmp_path: Path) -> None:
    """The carrier is outside of the local network, 127.0.0.1; Asterisk is in it."""
    public = "203.0.113.5"
    with bench(tmp_path, "127.0.0.2", EXTERNAL_ADDRESS=public, LOCAL_NET="127.0.0.1/32") as lab:
        lab.have("")
        invite = lab.invite(SHOWN)
    assert f"@{public}" in invite.one("contact")
    assert public in invite.one("via")
    assert f"c=IN IP4 {public}" in invite.text
