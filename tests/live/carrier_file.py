"""A carrier's file, and an Asterisk without an engine that dials a fallback there: what the INVITE says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.trunks import load_trunks
from devkit.asterisk import Asterisk, Options, start_asterisk
from devkit.wire import Message
from engine import fallback
from engine.trunk_origins import origins_of
from engine.trunk_sections import render
from engine.trunk_terms import variables_of
from tests.live.ari import ask
from tests.live.sip import Agent, Call, Ringing

NUMBER, FALLBACK = "+3270012345", "+3221112233"
EMPTY = {"TERMS_trunk": "", "COUNTRY": ""}  # Asterisk keeps a global variable over a reload


@dataclass
class Bench:
    """`country`: that of numbers which carriers send in national form."""

    asterisk: Asterisk
    carrier: Agent
    caller: Agent
    folder: Path
    country: str = "32"

    def have(self, settings: str) -> None:
        """Let the first carrier have these settings, besides its host."""
        file = self.folder / "trunk.yaml"
        file.write_text(f"host: '{self.carrier.address}'\nqualify_seconds: 0\n{settings}\n")
        trunks, etc = load_trunks(self.folder), self.asterisk.endpoint.etc
        (etc / "trunks.conf").write_text(render(trunks, {}, ""))
        table = fallback.with_national({NUMBER[1:]: FALLBACK}, self.country)
        variables = {**EMPTY, **variables_of(trunks, self.country)}
        (etc / "fallback.conf").write_text(fallback.render(table, "", variables, origins_of(trunks)))
        for module in ("res_pjsip.so", "pbx_config.so"):
            ask(self.asterisk.endpoint, f"/asterisk/modules/{module}", "PUT")

    def invite(self, sender: str, headers: Sequence[str] = (), number: str = NUMBER) -> Message:
        """A call from this sender; the INVITE that the carrier gets for it, and refuses with 486."""
        self.carrier.forget()
        call = Call(self.caller, self.asterisk.endpoint.sip, number, sender, headers).invite()
        invite = self.carrier.expect(lambda message: message.method == "INVITE")
        Ringing(self.carrier, self.asterisk.endpoint.sip, invite).refuse(486)
        assert call.final() == 486
        return invite

    def legs(self) -> str:
        """What CEL has of the legs of the last call."""
        lines = self.asterisk.endpoint.cel.read_text().splitlines()
        return next(line for line in reversed(lines) if line.startswith('"NOBODY"')).partition(" legs=")[2]


@contextmanager
def bench(folder: Path, host: str = "127.0.0.1", **values: str) -> Iterator[Bench]:
    """`host`: where the carrier is. `values`: of blanks in Asterisk's configuration."""
    with Agent(host=host) as carrier, Agent(host=host) as caller:
        options = Options(carrier.address, values=values)
        with start_asterisk(folder / "asterisk", options) as asterisk:
            asterisk.wait_until_ready()
            (folder / "trunks").mkdir()
            yield Bench(asterisk, carrier, caller, folder / "trunks")


def user_of(header: str) -> str:
    """The user part of the address in this header."""
    return header.partition("sip:")[2].partition("@")[0]
