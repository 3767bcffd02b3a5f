"""Early media of the carrier: an SDP, and a sound in RTP."""

import asyncio
import re
import socket
import struct

from devkit.audio import RATE, Samples, alaw
from devkit.phones import LOOPBACK
from devkit.wire import Message

Address = tuple[str, int]
FRAME_SECONDS = 0.02
FRAME_SAMPLES = round(FRAME_SECONDS * RATE)


def sdp(port: int, payload: str, codec: str) -> str:
    """One audio stream on loopback."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {payload}\r\na=rtpmap:{payload} {codec}\r\n"
    )


def media_address(invite: Message) -> Address:
    """The RTP address in the INVITE's SDP."""
    port = re.search(r"^m=audio (\d+)", invite.text, re.MULTILINE)
    host = re.search(r"^c=IN IP4 (\S+)", invite.text, re.MULTILINE)
    if port is None or host is None:
        raise ValueError("the INVITE offers no audio")
    return host[1], int(port[1])


async def speak(media: socket.socket, to: Address, sound: Samples) -> None:
    """Send the sound as G.711 A-law, a packet each 20 ms (RFC 3550)."""
    began, line = asyncio.get_running_loop().time(), alaw(sound)
    for n in range(len(line) // FRAME_SAMPLES):
        head = struct.pack(">BBHII", 0x80, 8, n, n * FRAME_SAMPLES, 0x5EED)
        media.sendto(head + line[n * FRAME_SAMPLES : (n + 1) * FRAME_SAMPLES], to)
        await asyncio.sleep(max(began + (n + 1) * FRAME_SECONDS - asyncio.get_running_loop().time(), 0))
