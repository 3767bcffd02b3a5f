"""One record of Asterisk's CEL, as asterisk/etc/cel_custom.conf writes it, and its parser.

The engine makes entries of the journal of it; reconciliation compares it with them and with the records.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# The names in main/cel.c. Our dialplan gives all other names, with CELGenUserEvent.
NAMES = """
CHAN_START CHAN_END ANSWER HANGUP BRIDGE_ENTER BRIDGE_EXIT CONF_START CONF_END APP_START APP_END
PARK_START PARK_END BLINDTRANSFER ATTENDEDTRANSFER PICKUP FORWARD LINKEDID_END LOCAL_OPTIMIZE
LOCAL_OPTIMIZE_BEGIN STREAM_BEGIN STREAM_END DTMF
"""
BUILT_IN = frozenset(NAMES.split())
KIND, SECONDS, MICROS = "[A-Za-z][A-Za-z0-9_]{0,39}", "[0-9]{1,11}", "[0-9]{6}"
TEXT = r'"([^"]*(?:""[^"]*)*)"'
RECORD = re.compile(rf'"({KIND})","({SECONDS})\.({MICROS})",' + ",".join([TEXT] * 6))
STARTS = re.compile(rf'"{KIND}","{SECONDS}\.{MICROS}",'.encode())
CHANNEL_ID = re.compile(r"[!-~]{1,149}")  # AST_MAX_PUBLIC_UNIQUEID of channel.h
AT_ONCE = timedelta(seconds=1)  # an answer in vain is over within a millisecond, if no thread has to wait
EXTENSION = re.compile(r"[!-~]{0,80}")  # AST_MAX_EXTENSION of channel.h


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One event of one channel.

    `kind`: a name of BUILT_IN, or the name that the dialplan gave to its user event.
    `at`: its instant by Asterisk's clock, in microseconds; for a user event, when it was written.
    `channel`: the channel's id; `call`: that of the caller's channel (linkedid).
    `name`: the channel's name, as in PJSIP/trunk-00000001.
    `extra`: for HANGUP hangupcause (int, Q.850), hangupsource (a channel's name) and dialstatus; for
    BRIDGE_ENTER bridge_id and bridge_technology; for a user event the key=value pairs of its text, all str.
    `context`, `exten`: where in the dialplan the channel was.
    """

    kind: str
    at: datetime
    channel: str
    call: str
    name: str
    context: str
    exten: str
    extra: Mapping[str, Any]

    @property
    def is_of_caller(self) -> bool:
        """Whether this is the caller's own channel."""
        return self.channel == self.call

    def withdraws(self, answered: datetime | None) -> bool:
        """Whether the caller's ANSWER line, of that instant, was in vain: they had cancelled, and got 487.

        Event CALL shows it: the caller ended the call, and Asterisk had no audio with them, which begins with
        the 200 at the latest (docs/decisions/036-an-answer-that-crosses-a-cancel.md).
        """
        if self.kind != "CALL" or answered is None or self.at - answered > AT_ONCE:
            return False
        extra = self.extra
        told = extra.get("status"), extra.get("media"), extra.get("source")
        return told == ("ANSWER", "0", self.name)


def parse(record: bytes) -> CelEvent:
    """Parse one record without its newline. Raise ValueError for anything except one whole record."""
    match = RECORD.fullmatch(record.decode())
    if match is None:
        raise ValueError("not a CEL record")
    kind, seconds, micros, *texts = match.groups()
    if b'""' in record:
        texts = [text.replace('""', '"') for text in texts]
    channel, call, name, context, exten, extra = texts
    if not (CHANNEL_ID.fullmatch(channel) and CHANNEL_ID.fullmatch(call)):
        raise ValueError("not a channel id")
    at = datetime.fromtimestamp(int(seconds), UTC).replace(microsecond=int(micros))
    exten = exten if EXTENSION.fullmatch(exten) else ""
    return CelEvent(kind, at, channel, call, name, context, exten, _extra(kind, extra))


def records(line: bytes) -> Iterator[bytes]:
    """Split a line at the beginning of each record: a full disk cuts a record, and the next follows it."""
    starts = [match.start() for match in STARTS.finditer(line)]
    if not starts or starts[0] != 0:
        starts.insert(0, 0)
    for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
        yield line[start:end]


def _extra(kind: str, text: str) -> Mapping[str, Any]:
    """Parse the JSON that Asterisk writes. A user event holds its text in `extra`. Raise ValueError."""
    if not text:
        return {}
    try:
        extra = json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    if not isinstance(extra, dict):
        raise ValueError("extra is not an object")  # noqa: TRY004 - the text is wrong, not an argument
    return extra if kind in BUILT_IN else _pairs(str(extra.get("extra", "")))


def _pairs(text: str) -> Mapping[str, str]:
    """Read `leg=ab-1 to=+32470111222`; ignore words that are not pairs."""
    return dict(word.split("=", 1) for word in text.split() if "=" in word)
