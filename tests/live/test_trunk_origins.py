"""From which carrier a call comes: found by Asterisk alone, by the source address, without an engine."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live.ari import ask
from tests.live.carrier_file import NUMBER, Bench, bench
from tests.live.sip import Agent, Call, Ringing, eventually

FULL = 503
FILES = {
    "trunk": "incoming_calls: 2",
    "alpha": "host: 127.0.0.1:9\nqualify_seconds: 0\naddresses: [127.0.0.8/30, '2001:db8:0:7::/64', '::1']",
    "beta": "host: 127.0.0.1:9\nqualify_seconds: 0\naddresses: [127.0.0.12]\nincoming_calls: 1",
}
# [origin] behind its first line, which reads the address.
PROBE = """
[probe]
exten => s,1,Set(ADDRESS=%s)
 same => n,Gosub(origin,s,2)
 same => n,CELGenUserEvent(PROBE,from=${X_TRUNK})
"""


@pytest.fixture(scope="module")
def carriers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("origins")) as running:
        for name in ("alpha", "beta"):
            (running.folder / f"{name}.yaml").write_text(FILES[name])
        running.have(FILES["trunk"])
        yield running


def call_from(carriers: Bench, agent: Agent) -> Call:
    return Call(agent, carriers.asterisk.endpoint.sip, NUMBER, "sip:+32470123456@caller.example").invite()


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1", "trunk"), ("127.0.0.8", "alpha"), ("127.0.0.11", "alpha"), ("127.0.0.12", "beta")],
)
def test_a_call_without_an_engine_has_its_carrier_in_cel_and_not_its_address(
    carriers: Bench, host: str, name: str
) -> None:
    with Agent(host=host) as agent:
        call = call_from(carriers, agent)
        invite = carriers.carrier.expect(lambda message: message.method == "INVITE")
        Ringing(carriers.carrier, carriers.asterisk.endpoint.sip, invite).refuse(486)
        assert call.final() == 486
    lines = cel(carriers)
    assert f" from={name} " in next(line for line in reversed(lines) if line.startswith('"FALLBACK"'))
    assert host == "127.0.0.1" or host not in "\n".join(lines)


def test_a_carrier_with_as_many_calls_as_it_may_have_gets_503_and_the_others_come_in(carriers: Bench) -> None:
    carriers.carrier.forget()
    with ExitStack() as held:
        beta, alpha, first = (
            held.enter_context(Agent(host=host)) for host in ("127.0.0.12", "127.0.0.9", "127.0.0.1")
        )
        live = []
        for agent in (beta, alpha, first, first):
            live.append(call_from(carriers, agent))
            invite = carriers.carrier.expect(lambda message: message.method == "INVITE")
            leg = Ringing(carriers.carrier, carriers.asterisk.endpoint.sip, invite)
            leg.pick_up()
            assert live[-1].final() == 200
            carriers.carrier.forget()
        assert call_from(carriers, beta).final() == FULL
        assert call_from(carriers, first).final() == FULL
        for call in live:
            call.hang_up()
    refused = [line for line in cel(carriers) if line.startswith('"REFUSED"')]
    assert ["why=carrier from=beta" in refused[-2], "why=carrier from=trunk" in refused[-1]] == [True, True]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1:5060", "trunk"),
        ("127.0.0.10:5060", "alpha"),
        ("[2001:db8:0:7::1]:5060", "alpha"),
        ("[2001:db8:0:7:1:2:3:4]:5060", "alpha"),
        ("[2001:db8::7:0:0:0:1]:5060", "alpha"),
        ("[2001:db8:0:8::]:5060", "trunk"),
        ("[2001:db8::7]:5060", "trunk"),
        ("[::1]:5060", "alpha"),
        ("[::2]:5060", "trunk"),
        ("", "trunk"),
    ],
)
def test_every_form_of_an_address_is_understood(carriers: Bench, address: str, name: str) -> None:
    file = carriers.asterisk.endpoint.etc / "fallback.conf"
    text = file.read_text()
    file.write_text(text + PROBE % address)
    ask(carriers.asterisk.endpoint, "/asterisk/modules/pbx_config.so", "PUT")
    before = len(probes(carriers))
    ask(carriers.asterisk.endpoint, "/channels?endpoint=Local/s@probe&context=probe&extension=s", "POST")
    assert eventually(lambda: len(probes(carriers)) > before)
    file.write_text(text)
    assert f"from={name}" in probes(carriers)[-1]


def cel(carriers: Bench) -> list[str]:
    file: Path = carriers.asterisk.endpoint.cel
    return file.read_text().splitlines() if file.exists() else []  # Asterisk makes it with its first line


def probes(carriers: Bench) -> list[str]:
    return [line for line in cel(carriers) if line.startswith('"PROBE"')]
