"""Requests from an address of one's own choice on loopback."""

import secrets
import socket
from contextlib import suppress

FROM = "+32470998877"


def ask_as(host: str, sip: str, method: str, call_id: str) -> bytes:
    """Send one request from that address; the answer, b"" if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind((host, 0))
        own.settimeout(1)
        me = f"{host}:{own.getsockname()[1]}"
        request = (
            f"{method} sip:+3270012345@{sip} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{secrets.token_hex(8)}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{FROM}@x>;tag=1\r\nTo: <sip:+3270012345@{sip}>\r\nCall-ID: {call_id}\r\n"
            f"CSeq: 1 {method}\r\nContact: <sip:x@{me}>\r\nContent-Length: 0\r\n\r\n"
        )
        address, _, port = sip.rpartition(":")
        own.sendto(request.encode(), (address, int(port)))
        with suppress(TimeoutError):
            return own.recv(2000)
        return b""
