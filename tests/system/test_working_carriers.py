"""A second carrier beside the first, as the guide adds it; and calls while the first one is down."""

import pytest

from devkit.carrier import Answers, carrier
from devkit.phones import Phones, shown
from tests.system.guest import Guest
from tests.system.guide import blocks, filled_in
from tests.system.house import CARRIER_PORT, OFFICE, SECOND, SIP
from tests.system.test_packages import READY
from tests.system.test_working import CALLER, CALLER_HZ, OFFICE_HZ, record_of

pytestmark = [pytest.mark.timeout(1800)]
BETA, BETA_PORT = "/etc/callengine/trunks/beta.yaml", CARRIER_PORT + 1


async def test_while_the_first_carrier_is_down_calls_go_out_by_the_second(
    production: Guest, telephones: Phones
) -> None:
    example, system = blocks("Carriers", "yaml")
    production.write("/root/carriers/beta.yaml", example.text)  # with every setting
    production.write("/root/carriers/acme-pbx.yaml", system.text)
    listed = production.run("callengine trunks /root/carriers")
    assert "sip.beta.example:5061, tls, SRTP" in listed
    assert "sip:...@pbx.acme.example" in listed
    here = {"sip.beta.example:5061": f"127.0.0.1:{BETA_PORT}", "198.51.100.7": "127.0.0.3"}
    host_order_addresses = filled_in(example, here).splitlines()[:3]
    production.write(BETA, "\n".join(host_order_addresses))
    production.run("sed -i 's|^# trunks = |trunks = |' /etc/callengine/callengine.toml")
    assert "beta" in production.run("callengine trunks")
    production.run("systemctl restart callengine-engine")
    await production.until(READY)
    async with carrier(telephones, default=Answers(), port=BETA_PORT):
        caller = await telephones.dial(SECOND, SIP, shown(CALLER), says=(CALLER_HZ,))
        await caller.wait_answered(60)
        await caller.hears(OFFICE_HZ, 30)
        await caller.hang_up()
        record = await record_of(production, SECOND)
    assert (record["outcome"], record["delivered_to"]) == ("answered", OFFICE)
    assert record["legs"][-1]["trunk"] == "beta"
    production.run(f"rm {BETA} && systemctl restart callengine-engine")
    await production.until(READY)
