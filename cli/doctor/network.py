"""Ports that strangers reach: those of Asterisk for SIP and RTP, and no others of ours."""

import ipaddress
import pwd
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.doctor.carriers import sip_files
from cli.doctor.finding import Finding
from cli.doctor.scene import Scene

USERS = ("asterisk", "callengine", "postgres")
TABLES = {"tcp": "tcp", "tcp6": "tcp", "udp": "udp", "udp6": "udp"}
LISTEN, UNCONNECTED = "0A", "07"
EPHEMERAL = "32768 60999"  # the kernel's default


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits. `address`: as text."""

    protocol: str
    address: str
    port: int
    uid: int

    @property
    def is_open(self) -> bool:
        """Whether another host may reach it."""
        return not ipaddress.ip_address(self.address).is_loopback


async def strangers(scene: Scene) -> list[Finding]:
    """Of our processes' ports, only SIP and RTP are open."""
    owners = dict(uids())
    return [
        of_open(listener, owners[listener.uid])
        for listener in listeners(scene.proc)
        if listener.is_open
        and listener.uid in owners
        and not is_question(listener, scene.proc)
        and not is_telephony(listener, owners, scene)
    ]


def of_open(listener: Listener, user: str) -> Finding:
    what = f"{listener.protocol} port {listener.port} of user {user} is open on {listener.address}"
    return Finding(what, "bind it to 127.0.0.1, or to a network of your own")


def is_question(listener: Listener, proc: Path) -> bool:
    """Whether this is a UDP socket from which something was asked: a port that the kernel chose.

    Asterisk's resolver keeps one open for each family.
    """
    lowest, highest = map(int, (read(proc / "sys/net/ipv4/ip_local_port_range") or EPHEMERAL).split())
    return listener.protocol == "udp" and lowest <= listener.port <= highest


def is_telephony(listener: Listener, owners: dict[int, str], scene: Scene) -> bool:
    """Whether this is a SIP transport or an RTP port of Asterisk's configuration."""
    etc = scene.settings.asterisk.etc_dir
    if owners[listener.uid] != "asterisk" or etc is None:
        return False
    if any(listener.port in sip_ports(file) for file in sip_files(etc)):
        return True
    first, last = rtp_ports(etc / "rtp.conf")
    return listener.protocol == "udp" and first <= listener.port <= last


def sip_ports(file: Path) -> set[int]:
    return {int(port) for port in re.findall(r"^bind\s*=\s*\S*:(\d+)", read(file), re.M)}


def rtp_ports(file: Path) -> tuple[int, int]:
    values = dict(re.findall(r"^(rtpstart|rtpend)\s*=\s*(\d+)", read(file), re.M))
    return int(values.get("rtpstart", 0)), int(values.get("rtpend", 0))


def read(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""


def listeners(proc: Path) -> Iterator[Listener]:
    """Every TCP socket that listens, and every UDP socket without a peer."""
    for table, protocol in TABLES.items():
        for line in read(proc / "net" / table).splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == (LISTEN if protocol == "tcp" else UNCONNECTED):
                address, _, port = local.partition(":")
                yield Listener(protocol, address_of(address), int(port, 16), int(rest[3]))


def address_of(text: str) -> str:
    """An address as the kernel writes it: words of 32 bits in the machine's byte order."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def uids() -> Iterator[tuple[int, str]]:
    """The users of our processes that this host has."""
    for user in USERS:
        try:
            yield pwd.getpwnam(user).pw_uid, user
        except KeyError:
            continue
