"""Name service in the guest: the records of the sender's domain."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import dns.flags
import dns.message
import dns.rrset

from tests.system.guest import Guest
from tests.system.house import DOMAIN

RECORDS = {
    (f"{DOMAIN}.", "MX"): [f"10 mx.{DOMAIN}."],
    (f"{DOMAIN}.", "TXT"): ['"v=spf1 ip4:192.0.2.25 -all"'],
    (f"mx.{DOMAIN}.", "A"): ["192.0.2.25"],
}


@contextmanager
def name_server(guest: Guest) -> Iterator[None]:
    """Answer the guest's questions while the block runs."""
    with guest.network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        guest.run("echo nameserver 127.0.0.1 > /etc/resolv.conf")
        thread = threading.Thread(target=serve, args=[server], daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):  # a socket without a peer says so, and wakes the thread all the same
                server.shutdown(socket.SHUT_RDWR)
            thread.join(10)  # until then the port is taken


def serve(server: socket.socket) -> None:
    """Answer until the socket ends."""
    while True:
        try:
            packet, peer = server.recvfrom(4096)
            if not packet:
                return
            server.sendto(answer(packet), peer)
        except OSError:
            return


def answer(packet: bytes) -> bytes:
    query = dns.message.from_wire(packet)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    question = query.question[0]
    name, kind = question.name.to_text(), question.to_text().split()[-1]
    if found := RECORDS.get((name, kind)):
        reply.answer.append(dns.rrset.from_text(name, 300, "IN", kind, *found))
    return reply.to_wire()
