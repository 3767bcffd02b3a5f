"""A mail that gets built: with its sound as wanted, else as recorded; with all its words, else plain."""

import zlib

import structlog

from mailer.audio import Codec, Sound, encode
from mailer.compose import Message, Sender, compose, compose_plainly

log = structlog.get_logger()


def build(message: Message, wav: bytes | None, codec: Codec, sender: Sender) -> bytes:
    """The bytes of the mail; the same ones each time. Blocks while it encodes.

    Raises whatever is wrong when not even a plain mail can be made.
    """
    sound = None if wav is None else _sound(message.message_id, wav, codec)
    try:
        return compose(message, sound, sender)
    except Exception as error:  # noqa: BLE001 - a value nobody has thought of must not keep a message back
        log.error("mail goes out plain", message=message.message_id, error=type(error).__name__)  # noqa: TRY400 - its text may hold the value
        return compose_plainly(message, sound, sender)


def _sound(message_id: str, wav: bytes, codec: Codec) -> Sound:
    try:
        return encode(wav, codec, serial=zlib.crc32(message_id.encode()))
    except Exception as error:  # noqa: BLE001 - whatever the encoder has against it: it can be heard as it is
        log.error("sound goes out as WAV", message=message_id, error=type(error).__name__)  # noqa: TRY400 - the same
        return encode(wav, "wav", serial=0)
