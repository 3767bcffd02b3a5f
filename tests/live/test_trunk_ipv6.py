"""IPv6: closed unless a transport for it is laid out, and to everybody but the carriers that have a file."""

from pathlib import Path

from devkit.asterisk import Options, start_asterisk
from devkit.ports import reserve_ports
from tests.live.carrier_file import FALLBACK, NUMBER, Bench
from tests.live.sip import Agent, Call, Ringing

ANSWERED, UNKNOWN = 200, 401


def test_without_an_address_of_its_own_there_is_no_ipv6(tmp_path: Path) -> None:
    with start_asterisk(tmp_path, Options("127.0.0.1:9")) as asterisk:
        asterisk.wait_until_ready()
        assert "[" not in asterisk.cli("pjsip show transports")


def test_a_carrier_is_reached_by_ipv6_and_its_calls_come_in_once_it_has_a_file(tmp_path: Path) -> None:
    with reserve_ports(1) as (port,), Agent() as other, Agent(host="::1") as six:
        options = Options(other.address, values={"SIP6_ADDRESS": f"[::1]:{port}"})
        with start_asterisk(tmp_path / "asterisk", options) as asterisk:
            asterisk.wait_until_ready()
            here = f"[::1]:{port}"
            assert Call(six, here, NUMBER).invite().final() == UNKNOWN
            (tmp_path / "trunks").mkdir()
            Bench(asterisk, six, six, tmp_path / "trunks").have("ipv6: true\naddresses: ['::1']")
            call = Call(six, here, NUMBER).invite()
            leg = Ringing.wait(six, here, FALLBACK)
            leg.pick_up()
            assert call.final() == ANSWERED
            call.hang_up()
            leg.gone()
    assert "c=IN IP6 ::1" in leg.invite.text
    assert f"sip:asterisk@[::1]:{port}" in leg.invite.one("contact")
