"""Encode a message's audio in its owner's format, or smaller where the mail server has a size limit.

Always 8 kHz mono. A minute of speech: WAV 960 kB, Opus 150, MP3 180, small MP3 60. Encoding takes 5 to 8 ms
of CPU for a second of audio, in a thread: libsndfile releases the interpreter's lock.
"""

from dataclasses import dataclass
from typing import Any, Literal

from config.memory_file import in_memory
from dialplan.delivery import Format

Codec = Literal["wav", "mp3", "small", "opus"]

# Codecs tried in this order while the server refuses the mail as too big.
LADDER: dict[Format, tuple[Codec, ...]] = {
    "wav": ("wav", "mp3", "small"),
    "mp3": ("mp3", "small"),
    "opus": ("opus", "small"),
}

# Constant bit rates: a variable one grows to four times as much on noise. 0.7 is 24 kbit/s, 0.95 is 8.
SETTINGS: dict[Codec, dict[str, Any]] = {
    "mp3": {"format": "MP3", "compression_level": 0.7, "bitrate_mode": "CONSTANT"},
    "small": {"format": "MP3", "compression_level": 0.95, "bitrate_mode": "CONSTANT"},
    "opus": {"format": "OGG", "subtype": "OPUS", "compression_level": 0.9},
}
NAMED: dict[Codec, tuple[str, str]] = {
    "wav": ("wav", "wav"),
    "mp3": ("mp3", "mpeg"),
    "small": ("mp3", "mpeg"),
    "opus": ("opus", "ogg"),  # RFC 7845, section 9
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """The attached audio: bytes, file name suffix, and media subtype of `audio/`."""

    data: bytes
    suffix: str
    subtype: str


def encode(wav: bytes, codec: Codec, serial: int) -> Attachment:
    """Encode the WAV in this codec; the same `serial` (32 bit) gives the same bytes each time.

    Blocks: call it in a thread. Raises soundfile.SoundFileError when `wav` cannot be read.
    """
    suffix, subtype = NAMED[codec]
    if codec == "wav":
        return Attachment(wav, suffix, subtype)
    import soundfile  # noqa: PLC0415 - takes 0.35 s, needed only with a message to send

    with in_memory(wav) as source, in_memory() as encoded:
        samples, rate = soundfile.read(source.fileno(), dtype="int16", closefd=False)
        soundfile.write(encoded.fileno(), samples, rate, closefd=False, **SETTINGS[codec])
        encoded.seek(0)
        data = encoded.read()
    return Attachment(numbered(data, serial) if codec == "opus" else data, suffix, subtype)


def numbered(ogg: bytes, serial: int) -> bytes:
    """Set the serial number of an Ogg stream: libsndfile uses a random one each time."""
    stream = bytearray(ogg)
    at = 0
    while at < len(stream):
        segments = stream[at + 26]  # RFC 3533, section 6
        end = at + 27 + segments + sum(stream[at + 27 : at + 27 + segments])
        stream[at + 14 : at + 18] = serial.to_bytes(4, "little")
        stream[at + 22 : at + 26] = bytes(4)
        stream[at + 22 : at + 26] = checksum(stream[at:end]).to_bytes(4, "little")
        at = end
    return bytes(stream)


def _crc_of(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
    return crc & 0xFFFFFFFF


TABLE = tuple(_crc_of(byte) for byte in range(256))


def checksum(page: bytes | bytearray) -> int:
    """Ogg's CRC-32: not reflected, starting from zero, so zlib's cannot be used."""
    crc = 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ TABLE[(crc >> 24) ^ byte]
    return crc
