"""By which source address a call is a carrier's: the context [origins] of fallback.conf.

[origin] of carriers.conf writes the address in hexadecimal behind a 4 or a 6, so that a network is a prefix:
192.0.2.0/26 is 4c00002[0123]. An address in no file is the first carrier's, whose own are in pjsip.conf.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import batched

from config.trunk import Trunk
from config.trunks import FIRST, Trunks

HEAD = "[origins]"
IN_A_LINE = 40  # Asterisk cuts what a function gets after 4,095 bytes
DIGITS = "0123456789abcdef"


def origins_of(trunks: Trunks) -> str:
    """The context; "" if every call is the first carrier's, and it may have as many as there are lines.

    An address that several files have is that of the first in their order.
    """
    by_name = trunks.by_name
    if not any(trunk.addresses or trunk.incoming_calls for trunk in by_name.values()):
        return ""
    known = {FIRST: by_name.get(FIRST), **{name: trunk for name, trunk in by_name.items() if trunk.addresses}}
    questions = [line for name, trunk in known.items() if trunk for line in _questions(name, trunk)]
    marks = [line for name, trunk in known.items() for line in _marks(name, trunk)]
    return "\n".join([HEAD, "exten => s,1,NoOp()", *questions, f" same => n,Goto({FIRST})", *marks, ""])


def _questions(name: str, trunk: Trunk) -> Iterator[str]:
    for some in batched(_prefixes(trunk), IN_A_LINE, strict=False):
        yield f' same => n,GotoIf(${{REGEX("^({"|".join(some)})" ${{ADDRESS}})}}?{name})'


def _marks(name: str, trunk: Trunk | None) -> Iterator[str]:
    most = trunk.incoming_calls if trunk else 0
    if not most:
        yield f" same => n({name}),Set(X_TRUNK={name})"
    else:
        yield f" same => n({name}),MSet(X_TRUNK={name},GROUP(from)={name})"
        yield f" same => n,GotoIf($[${{GROUP_COUNT({name}@from)}} > {most}]?refuse,carrier,1)"
    yield " same => n,Return()"


def _prefixes(trunk: Trunk) -> Iterator[str]:
    networks = [ip_network(text) for text in trunk.addresses]
    yield from map(prefix, collapse_addresses(net for net in networks if isinstance(net, IPv4Network)))
    yield from map(prefix, collapse_addresses(net for net in networks if isinstance(net, IPv6Network)))


def prefix(network: IPv4Network | IPv6Network) -> str:
    """The regular expression by which each of its addresses begins, and no other."""
    text = f"{int(network.network_address):0{network.max_prefixlen // 4}x}"
    whole, bits = divmod(network.prefixlen, 4)
    if bits == 0:
        return f"{network.version}{text[:whole]}"
    first = int(text[whole], 16)
    return f"{network.version}{text[:whole]}[{DIGITS[first : first + 2 ** (4 - bits)]}]"
