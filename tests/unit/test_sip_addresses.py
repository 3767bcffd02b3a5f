"""SIP addresses as destinations: what is one, which domains are allowed, what Asterisk and CEL make of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.cache import Cache
from config.errors import ConfigErrors
from config.load import load, load_with_hashes
from config.policy import Policy
from config.trunks import domains_in, load_trunks
from dialplan.anonymous import country_and_prefix
from dialplan.caller import WITHHELD, Caller, Presentation
from dialplan.destination import Destination, Present
from dialplan.prompt import Prompt
from engine import fallback
from engine.ari.connect import as_extension, attempts, destinations, variables
from engine.ari.operations import Variables
from engine.line import Connect
from engine.trunk_sections import render
from engine.trunk_terms import variables_of
from journal.entries import HandedOver
from portal.wording import spoken_number
from storage.anonymising import place_of
from tests.unit.cel_events import CALL, LEG, LEG_ONE, LEG_TWO, ONE, at, back, event, read, started
from tests.unit.folders import good_folder

DOMAIN = "pbx.acme.example"
DESK, NUMBER = f"sip:reception@{DOMAIN}", "+3221112233"
SHOWN = Caller(Presentation.SHOWN, "+4915123456789")
DOMAINS = {DOMAIN: "acme-pbx"}
PROMPT = Prompt("ours", Path("/prompts/nl/ours.wav"), 3.0, "sha")
TRUNK = f"host: 192.0.2.7:5070\nsip_domain: {DOMAIN}\n"


# What is an address.


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (DESK, DESK),
        ("sip:Reception@PBX.Acme.Example", f"sip:Reception@{DOMAIN}"),
        (f"sip:+3221112233@{DOMAIN}", f"sip:+3221112233@{DOMAIN}"),
        (f"sip:100@{DOMAIN}", f"sip:100@{DOMAIN}"),
        ("sip:a.b-c_d+e@192.0.2.7", "sip:a.b-c_d+e@192.0.2.7"),
    ],
)
def test_an_address_is_written_as_in_sip(text: str, address: str) -> None:
    assert Destination.model_validate(text).number == address


@pytest.mark.parametrize(
    "text",
    [
        "sip:reception",
        f"sip:@{DOMAIN}",
        "sip:reception@",
        "sip:reception@pbx",
        f"reception@{DOMAIN}",
        f"sips:reception@{DOMAIN}",
        f"SIP:reception@{DOMAIN}",
        f"sip:{'a' * 41}@{DOMAIN}",
        f"sip:reception@{'a' * 60}.{'b' * 60}.example",
        f"sip:reception@{DOMAIN}:5060",
        f"sip:reception@{DOMAIN};transport=tcp",
        f"sip:reception:secret@{DOMAIN}",
        f"sip:a@b@{DOMAIN}",
        *(f"sip:a{c}b@{DOMAIN}" for c in "&,$(){}[]|\\/\"'`;:?%=<>#!*^~ \t\n\x00é"),
        *(f"sip:reception@pbx{c}acme.example" for c in "&,${}()\\/;:_%\n "),
        f"sip:-a@{DOMAIN}",
        f"sip:.a@{DOMAIN}",
        f"sip:reception@-{DOMAIN}",
        f"sip:reception@{DOMAIN}\n",
    ],
)
def test_whatever_is_special_in_the_dialplan_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Destination.model_validate(text)


# Which domains are allowed.


def folder_with(path: Path, ring: str, fallback: str = "") -> Path:
    folder = good_folder(path)
    file = folder / "numbers/main.yaml"
    extra = f"fallback: {fallback}\n" if fallback else ""
    file.write_text(file.read_text().replace("ring: +3221112233", f"ring: {ring}") + extra)
    return folder


def errors(folder: Path, policy: Policy) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(folder, policy)
    return [str(error).replace(f"{folder}/", "") for error in caught.value.errors]


def test_a_domain_is_allowed_by_the_file_of_its_trunk(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, DESK, DESK)
    routing = load(folder, Policy(domains=frozenset({DOMAIN})))
    assert routing.fallbacks == {"3270012345": DESK}
    assert errors(folder, Policy()) == [
        f"numbers/main.yaml:{line}: {place}: {DOMAIN} is not an allowed domain; if that is meant, write the "
        f"file of a trunk with sip_domain: {DOMAIN}  and its host"
        for line, place in (("6:5", "route.ring"), ("7:1", "fallback"))
    ]


def test_a_domain_that_is_nearly_allowed_is_probably_a_slip(tmp_path: Path) -> None:
    policy = Policy(domains=frozenset({"pbx.acme.exampel"}))
    (error,) = errors(folder_with(tmp_path, DESK), policy)
    assert "did you mean `pbx.acme.exampel`?" in error


def test_a_user_with_the_digits_of_a_service_number_is_not_that_number(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, f"sip:+3270012345@{DOMAIN}")
    assert load(folder, Policy(domains=frozenset({DOMAIN})))


def test_a_cached_number_is_refused_once_its_domain_has_no_trunk(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, DESK)
    cache = Cache()
    load_with_hashes(folder, Policy(domains=frozenset({DOMAIN})), cache)
    with pytest.raises(ConfigErrors) as caught:
        load_with_hashes(folder, Policy(), cache)
    assert "is not an allowed domain" in str(caught.value.errors[0])


def test_a_version_that_was_accepted_stays_usable_without_the_trunk(tmp_path: Path) -> None:
    assert load(folder_with(tmp_path, DESK), Policy(accepted=True))


def trunks(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text)
    return folder


def test_the_trunk_of_a_domain_is_no_carrier_of_numbers(tmp_path: Path) -> None:
    read = load_trunks(trunks(tmp_path, acme_pbx=TRUNK, beta="host: b.example"))
    assert (read.carriers, read.domains) == (("trunk", "beta"), DOMAINS)
    assert read.names == ("trunk", "beta", "acme-pbx")
    assert variables_of(read, "32") == {"NEXT_trunk": "beta", f"SIP_{DOMAIN}": "acme-pbx"}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a": TRUNK, "b": TRUNK}, f"b.yaml:2:1: sip_domain: {DOMAIN} is also in a.yaml"),
        ({"trunk": TRUNK}, "trunk is the carrier of numbers; write another file"),
        ({"a": "host: b.example\nsip_domain: pbx:5060"}, "write the domain of the SIP addresses"),
        ({"a": 'host: b.example\nsip_domain: "*.example"'}, "write the domain of the SIP addresses"),
    ],
)
def test_a_wrong_domain_is_refused_with_its_place(tmp_path: Path, files: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load_trunks(trunks(tmp_path, **files))
    assert why in str(caught.value.errors[0])


def test_a_file_that_is_wrong_takes_no_domain_from_the_others(tmp_path: Path) -> None:
    assert domains_in(trunks(tmp_path, acme_pbx=TRUNK, beta="hosts: b")) == {DOMAIN}


def test_the_domain_is_reached_at_the_host_of_its_trunk_whatever_dns_says(tmp_path: Path) -> None:
    text = TRUNK + "transport: tls\nsrtp: true\n"
    lines = render(load_trunks(trunks(tmp_path, acme_pbx=text)), {}, "").splitlines()
    assert f"contact = sip:{DOMAIN}" in lines
    proxy = r"outbound_proxy = sip:192.0.2.7:5070\;transport=tls\;lr\;hide"
    assert lines.count(proxy) == 2  # of the endpoints, and of their aor
    assert f"set_var = SIP_DOMAIN={DOMAIN}" in lines


def test_terms_say_that_addresses_are_not_numbers(tmp_path: Path) -> None:
    text = TRUNK + "calls: 2\nnumbers: national\ncountry: 32\n"
    variables = variables_of(load_trunks(trunks(tmp_path, acme_pbx=text)), "")
    assert variables["TERMS_acme-pbx"] == "2//national/32///192.0.2.7//sip"


# What Asterisk is given.


def given(*to: Destination, caller: Caller = SHOWN, **settings: Any) -> Variables:
    connect = Connect(number=1, to=to, seconds=20, limit=60, **settings)
    endpoint = "PJSIP/{number}@trunk{n}"
    return variables(connect, caller, "+3280012345", endpoint, 3, domains=DOMAINS)


def to(number: str, **settings: Any) -> Destination:
    return Destination(number=number, **settings)


def test_an_address_is_dialled_at_the_trunk_of_its_domain_by_one_command() -> None:
    values = given(to(DESK))
    assert values["CONNECT_TO"] == "PJSIP/reception@acme-pbx3"
    assert as_extension(values) == "1-20-60--PJSIP/reception@acme-pbx3"


def test_a_long_address_is_set_as_variables() -> None:
    assert as_extension(given(to(f"sip:{'a' * 40}@{DOMAIN}"), to(f"sip:{'b' * 40}@{DOMAIN}"))) is None


def test_without_a_trunk_there_is_no_endpoint_to_dial() -> None:
    assert given(to("sip:a@other.example"))["CONNECT_TO"] == "PJSIP/a@no_trunk3"


def test_a_withheld_caller_is_withheld_from_an_address() -> None:
    assert given(to(DESK), caller=WITHHELD)["CONNECT_OPTIONS"] == "f(0)u(prohib)"


def test_what_a_destination_hears_and_sees_is_named_by_its_address() -> None:
    other = f"sip:+32470@{DOMAIN}"
    values = given(
        to(DESK, present=Present.ANONYMOUS),
        to(other, confirm=True),
        whispers={DESK: PROMPT},
        question=PROMPT,
    )
    assert values[f"__CONNECT_SAY_reception@{DOMAIN}"] == "/prompts/nl/ours"
    assert values[f"__CONNECT_ASK_+32470@{DOMAIN}"] == "/prompts/nl/ours"
    assert values[f"__CONNECT_SHOW_reception@{DOMAIN}"] == "nobody"


def test_addresses_and_numbers_ring_apart_because_only_numbers_fail_over() -> None:
    values = given(to(DESK), to(NUMBER))
    assert values["CONNECT_APART"] == "Local/1@apart-leg&Local/2@apart-leg"
    assert (values["__APART_1"], values["__APART_TO_1"]) == (
        "0-20-PJSIP/reception@acme-pbx3",
        f"reception@{DOMAIN}",
    )
    assert (values["__APART_2"], values["__APART_TO_2"]) == (f"0-20-PJSIP/{NUMBER}@trunk4", NUMBER)
    assert "CONNECT_APART" not in given(to(DESK), to(f"sip:desk@{DOMAIN}"))
    assert "CONNECT_APART" in given(to(DESK), to("sip:desk@other.example"))


def test_a_fallback_is_written_without_the_colon() -> None:
    text = fallback.render({"3270012345": DESK}, f"SIP_{DOMAIN}=acme-pbx\nSIP_old.example=old\n", {})
    assert f"FB_3270012345=reception@{DOMAIN}" in text
    assert f"SIP_{DOMAIN}=\n" in text  # Asterisk keeps a global variable whose line is removed
    assert "SIP_old.example=\n" in text


# What CEL says.


def test_the_legs_of_addresses_are_named_by_the_journal() -> None:
    dialled = "PJSIP/reception@acme-pbx3&PJSIP/+32470@acme-pbx4"
    known = (DESK, f"sip:+32470@{DOMAIN}")
    ring = (("PJSIP/acme-pbx3", DESK), ("PJSIP/acme-pbx4", known[1]))
    assert destinations(dialled, known) == ring
    assert destinations(dialled, (NUMBER,)) == (
        ("PJSIP/acme-pbx3", "reception"),
        ("PJSIP/acme-pbx4", "+32470"),
    )
    assert destinations(dialled, (), DOMAINS) == ring


def test_after_a_failover_numbers_are_still_those_of_the_journal() -> None:
    assert destinations(f"PJSIP/{NUMBER}@beta3", (NUMBER,)) == (("PJSIP/beta3", NUMBER),)


def test_the_report_of_a_leg_names_the_address() -> None:
    (attempt,) = attempts(CALL, f"&dev-1.2:Down:17:486:reception@{DOMAIN}")
    assert (attempt.to, str(attempt.outcome)) == (DESK, "busy")


def test_a_leg_to_an_address_is_in_the_journal_from_its_beginning_to_its_end() -> None:
    state = started()
    state.apply(HandedOver(CALL, at(0), (DESK, NUMBER), 25))
    busy = f"{ONE}:Down:17:486:reception@{DOMAIN}"
    read(state, [LEG_ONE, event("DIALLED", ONE, 0.1, to=f"reception@{DOMAIN}"), LEG_TWO, back(1, busy)])
    assert [leg.to for leg in state.legs.values()] == [DESK, NUMBER]
    assert str(state.legs[LEG].outcome) == "busy"


def test_the_fallback_may_be_an_address() -> None:
    state = started()
    fell_back = event("FALLBACK", seconds=1, dialled="+3270012345", to=f"reception@{DOMAIN}")
    read(state, [fell_back, replace(LEG_ONE, at=at(2))])
    assert (state.dialled, state.legs[LEG].to) == ((DESK,), DESK)


# What people see.


def test_an_address_is_shown_as_it_is_and_loses_its_user_with_the_years() -> None:
    digits = f"sip:+3221112233@{DOMAIN}"
    assert spoken_number(digits) == digits
    assert place_of(digits) == country_and_prefix(DESK) == f"sip:{DOMAIN}"
    assert country_and_prefix(f"sip:{DOMAIN}") == f"sip:{DOMAIN}"
    assert place_of("voicemail") == "voicemail"
