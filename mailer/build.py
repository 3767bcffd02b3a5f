"""Build a mail even if a part of it fails: audio stays WAV if it cannot be encoded, text becomes plain."""

import zlib

import structlog

from mailer.audio import Attachment, Codec, encode
from mailer.compose import Message, Sender, compose, compose_plainly

log = structlog.get_logger()


def build(message: Message, wav: bytes | None, codec: Codec, sender: Sender) -> bytes:
    """Return the bytes of the mail; they are the same each time. Blocks while it encodes.

    Raises any exception if not even a plain mail can be composed.
    """
    attachment = None if wav is None else _encoded(message.message_id, wav, codec)
    try:
        return compose(message, attachment, sender)
    except Exception as error:  # noqa: BLE001 - an unexpected value must not hold a message back
        log.error("mail_composed_plain", message=message.message_id, error=type(error).__name__)  # noqa: TRY400 - its text may hold the value
        return compose_plainly(message, attachment, sender)


def _encoded(message_id: str, wav: bytes, codec: Codec) -> Attachment:
    try:
        return encode(wav, codec, serial=zlib.crc32(message_id.encode()))
    except Exception as error:  # noqa: BLE001 - whatever the encoder rejects: the WAV can be played
        log.error("attachment_not_encoded", message=message_id, error=type(error).__name__)  # noqa: TRY400 - the same
        return encode(wav, "wav", serial=0)
