"""The carrier of a call by its source address: what the engine writes for the dialplan."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from config.trunk import Trunk
from config.trunks import Trunks
from engine.fallback import render
from engine.trunk_origins import origins_of, prefix

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def in_digits(address: IPv4Address | IPv6Address) -> str:
    """As [origin] of carriers.conf writes it."""
    return f"{address.version}{int(address):0{address.max_prefixlen // 4}x}"


@given(ADDRESSES, st.integers(0, 128), st.integers(0, 127))
def test_an_address_begins_as_its_network_does_and_no_other(
    address: IPv4Address | IPv6Address, length: int, bit: int
) -> None:
    network = ip_network((address, min(length, address.max_prefixlen)), strict=False)
    flipped = type(address)(int(address) ^ (1 << min(bit, address.max_prefixlen - 1)))
    for one in (address, flipped):
        assert bool(re.match(prefix(network), in_digits(one))) == (one in network)


def test_addresses_of_ipv4_and_ipv6_with_the_same_bits_are_two() -> None:
    assert not re.match(prefix(ip_network("32.1.13.184")), in_digits(ip_address("2001:db8::")))


def test_without_addresses_or_limits_there_is_nothing_to_ask() -> None:
    assert origins_of(Trunks({})) == ""
    assert origins_of(Trunks({"trunk": Trunk(host="a"), "beta": Trunk(host="b", calls=3)})) == ""


def test_the_first_carrier_with_the_address_comes_first_and_all_others_are_the_first_carriers() -> None:
    beta = Trunk(host="b", addresses=("192.0.2.1",), incoming_calls=30)
    lines = origins_of(Trunks({"beta": beta, "gamma": Trunk(host="c", addresses=("192.0.2.0/28",))}))
    assert lines.splitlines() == [
        "[origins]",
        "exten => s,1,NoOp()",
        ' same => n,GotoIf(${REGEX("^(4c0000201)" ${ADDRESS})}?beta)',
        ' same => n,GotoIf(${REGEX("^(4c000020)" ${ADDRESS})}?gamma)',
        " same => n,Goto(trunk)",
        " same => n(trunk),Set(X_TRUNK=trunk)",
        " same => n,Return()",
        " same => n(beta),MSet(X_TRUNK=beta,GROUP(from)=beta)",
        " same => n,GotoIf($[${GROUP_COUNT(beta@from)} > 30]?refuse,carrier,1)",
        " same => n,Return()",
        " same => n(gamma),Set(X_TRUNK=gamma)",
        " same => n,Return()",
    ]


def test_no_line_is_longer_than_asterisk_reads() -> None:
    odd = tuple(f"2001:db8:{n:x}::{n:x}/127" for n in range(2, 1002, 2))
    lines = origins_of(Trunks({"beta": Trunk(host="b", addresses=odd)})).splitlines()
    assert len(lines) > 10
    assert max(map(len, lines)) < 2000


def test_the_context_stays_while_the_files_are_wrong_and_goes_with_the_last_address() -> None:
    origins = origins_of(Trunks({"beta": Trunk(host="b", addresses=("192.0.2.1",))}))
    with_it = render({"32800": "+3221112233"}, "", {"NEXT_trunk": "beta"}, origins)
    assert with_it.endswith(f"FB_32800=+3221112233\n{origins}")
    assert render({"32800": "+3221112233"}, with_it, None, None) == with_it
    assert "[origins]" not in render({"32800": "+3221112233"}, with_it, {}, "")
