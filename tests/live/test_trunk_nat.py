"""A carrier behind NAT: its packets come from another address than it knows of itself."""

from pathlib import Path

import pytest

from tests.live.carrier_file import FALLBACK, NUMBER, bench
from tests.live.sip import Agent, Call, Ringing

INSIDE = "192.0.2.9"  # where it believes to be: nobody is there
SILENCE_SECONDS = 1.0


class Hidden(Call):
    """A caller whose Contact and SDP have the address inside its network."""

    def request(self, method: str, *, cseq: int = 1, branch: str = "", body: str = "") -> str:
        inside = body.replace("IN IP4 127.0.0.1", f"IN IP4 {INSIDE}")
        text = super().request(method, cseq=cseq, branch=branch, body=inside)
        return text.replace(f"caller@{self.agent.address}", f"caller@{INSIDE}:5060").replace(
            f"Content-Length: {len(body)}", f"Content-Length: {len(inside)}"
        )


@pytest.mark.parametrize("nat", [True, False])
def test_our_bye_reaches_a_carrier_behind_nat_only_if_its_file_says_so(tmp_path: Path, *, nat: bool) -> None:
    with bench(tmp_path) as lab, Agent(host="127.0.0.9") as agent:
        lab.have(f"addresses: [127.0.0.9]\nnat: {str(nat).lower()}")
        call = Hidden(agent, lab.asterisk.endpoint.sip, NUMBER).invite()
        leg = Ringing.wait(lab.carrier, lab.asterisk.endpoint.sip, FALLBACK)
        leg.pick_up()
        assert call.final() == 200
        lab.asterisk.cli("channel request hangup all")
        leg.gone()
        assert said_goodbye(agent) == nat


def said_goodbye(agent: Agent) -> bool:
    try:
        agent.expect(lambda message: message.method == "BYE", SILENCE_SECONDS)
    except AssertionError:
        return False
    return True
