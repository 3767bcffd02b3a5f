"""The mail about a message: what is in it, and what never is."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, get_args

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from dialplan.delivery import Delivery, Format
from dialplan.names import LANGUAGES
from mailer.audio import LADDER, NAMED, Attachment, Codec, checksum, encode
from mailer.compose import Message, Sender, Unbuildable, compose, compose_plainly, file_name

SENDER = Sender("voicemail@provider.example", "Voicemail")
SOUND = Attachment(b"sound " * 50, "mp3", "mpeg")
ID = "018f0000-0000-7000-8000-00001a2b3c4d-vm1"
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Voicemail-Id",
    "MIME-Version",
    "Content-Type",
]

# What phones have sent as a caller's number or name, or might.
HOSTILE = [
    "a\r\nBcc: everyone@acme.example",
    "=?utf-8?q?=0D=0ABcc:_everyone@acme.example?=",
    "+32470111222\n",
    "+32470111222\r\n\r\n<script>",
    "\x1b[2J",
    "\u202e+32470111222",
    "٠١٢٣٤٥",
    "<b>me</b>",
    '"><script>alert(1)</script>',
    "{{ 7 * 7 }}",
    "{number}",
    "%(number)s",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "a\0b",
    "+32470111222;ext=5",
    "+32 470 11 12 22",
    "sip:me@acme.example",
    "everyone@acme.example",
    "x" * 10_000,
    "-470111222",
    "++32470111222",
    "+" + "1" * 16,
    "Доктор",
    "\ud800",
]


def delivery(**more: Any) -> Delivery:
    told: dict[str, Any] = {
        "to": ("office@acme.example",),
        "then": None,
        "language": "en",
        "audio": "mp3",
        "zone": "Europe/Brussels",
        "require_tls": False,
        "label": "",
    }
    return Delivery(**told | more)


def message(**more: Any) -> Message:
    told: dict[str, Any] = {
        "message_id": ID,
        "kind": "voicemail",
        "number": "+3280012345",
        "caller": "+32470111222",
        "withheld": False,
        "began": datetime(2026, 11, 24, 13, 5, 7, tzinfo=UTC),
        "outcome": "voicemail",
        "deliver": delivery(),
        "dated": datetime(2026, 11, 24, 13, 6, tzinfo=UTC),
        "seconds": 67.2,
    }
    return Message(**told | more)


def read(mail: bytes) -> EmailMessage:
    parsed = BytesParser(policy=policy.default).parsebytes(mail)
    assert isinstance(parsed, EmailMessage)
    return parsed


def body(mail: bytes, kind: str) -> str:
    part = read(mail).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def attachments(mail: bytes) -> list[tuple[str | None, str, bytes]]:
    parts = read(mail).iter_attachments()
    return [(part.get_filename(), part.get_content_type(), part.get_content()) for part in parts]


def test_a_mail_says_who_called_which_number_when_and_how_long() -> None:
    mail = compose(message(deliver=delivery(label="Helpdesk", path=("Sales", "Dutch"))), SOUND, SENDER)
    assert read(mail)["Subject"] == "Voicemail for 0800 12 345 from +32 470 11 12 22, 24 Nov 14:05"
    assert body(mail, "plain").replace("\r\n", "\n") == (
        "New message for 0800 12 345 (Helpdesk)\n"
        "\n"
        "Caller: +32 470 11 12 22\n"
        "Number: 0800 12 345 (Helpdesk)\n"
        "Date and time: Tuesday, 24 November 2026, 14:05 (Central European Standard Time, UTC+01:00)\n"
        "Length: 1:07\n"
        "Menu choices: Sales › Dutch\n"
        "\n"
        "The message is attached: voicemail-3280012345-20261124-140507-1a2b3c4d.mp3\n"
        "\n"
        "-- \n"
        "This mail was sent automatically. Once it has been delivered, the message is deleted here.\n"
    )
    assert '<a href="tel:+32470111222">+32 470 11 12 22</a>' in body(mail, "html")
    assert attachments(mail) == [
        ("voicemail-3280012345-20261124-140507-1a2b3c4d.mp3", "audio/mpeg", SOUND.data)
    ]


def test_a_mail_has_exactly_these_headers() -> None:
    headers = read(compose(message(), SOUND, SENDER))
    assert headers.keys() == HEADERS
    assert headers["Message-ID"] == f"<vm.{ID}@provider.example>"
    assert headers["Date"] == "Tue, 24 Nov 2026 13:06:00 +0000"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Voicemail-Id"] == ID


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        ("nl", "Voicemail voor 0800 12 345 van anoniem, 24 nov 14:05"),
        ("fr", "Message vocal pour le 0800 12 345 de anonyme, 24 nov. 14:05"),
        ("de", "Sprachnachricht für 0800 12 345 von anonym, 24. Nov. 14:05"),
        ("es", "Mensaje de voz para el 0800 12 345 de anónimo, 24 nov 14:05"),
        ("en", "Voicemail for 0800 12 345 from withheld, 24 Nov 14:05"),
    ],
)
def test_a_withheld_caller_is_called_so_in_the_owners_language(language: str, subject: str) -> None:
    withheld = message(caller="", withheld=True, deliver=delivery(language=language))
    mail = compose(withheld, SOUND, SENDER)
    assert read(mail)["Subject"] == subject
    assert "tel:" not in body(mail, "html")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_missed_call_says_why_and_has_no_attachment(language: str) -> None:
    missed = message(
        message_id=f"{ID[:36]}-missed",
        kind="missed",
        outcome="busy",
        seconds=None,
        deliver=delivery(language=language),
    )
    mail = compose(missed, None, SENDER)
    assert read(mail).keys() == HEADERS
    assert attachments(mail) == []
    assert "+32 470 11 12 22" in body(mail, "plain")
    assert body(mail, "plain").count("\n") >= 8


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("suffix", ["mp3", "wav", "opus"])
def test_built_again_it_is_the_same_to_the_byte(language: str, suffix: str) -> None:
    sound = replace(SOUND, suffix=suffix)
    once = compose(message(deliver=delivery(language=language)), sound, SENDER)
    assert compose(message(deliver=delivery(language=language)), sound, SENDER) == once


@settings(deadline=None)
@given(
    caller=st.one_of(st.just(""), st.from_regex(r"\A\+?[0-9]{1,15}\Z").filter(str.isascii)),
    label=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60),
    path=st.lists(st.text(max_size=20), max_size=3),
    language=st.sampled_from(LANGUAGES),
)
def test_whatever_caller_label_and_menu_the_headers_are_these(
    caller: str, label: str, path: list[str], language: str
) -> None:
    deliver = delivery(label=label, path=tuple(path), language=language)
    mail = compose_or_plainly(message(caller=caller, deliver=deliver))
    assert read(mail).keys() == HEADERS
    assert len(attachments(mail)) == 1


def compose_or_plainly(told: Message) -> bytes:
    """As the outbox worker does it."""
    try:
        return compose(told, SOUND, SENDER)
    except (Unbuildable, ValueError):
        return compose_plainly(told, SOUND, SENDER)


@pytest.mark.parametrize("identity", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_identity_gets_into_no_mail(identity: str) -> None:
    with pytest.raises(Unbuildable):
        compose(message(caller=identity), SOUND, SENDER)
    mail = compose_plainly(message(caller=identity), SOUND, SENDER)
    assert read(mail).keys() == HEADERS
    assert read(mail)["To"] == "office@acme.example"
    assert identity.encode("utf-8", "surrogateescape" if identity != "\ud800" else "replace") not in mail
    assert [name for name, _, _ in attachments(mail)] == ["voicemail.mp3"]


def test_a_number_that_is_withheld_cannot_be_mailed_by_mistake() -> None:
    with pytest.raises(Unbuildable, match="is withheld"):
        compose(message(withheld=True), SOUND, SENDER)


def test_the_owners_words_cannot_become_markup() -> None:
    mail = compose(message(deliver=delivery(label="<script>", path=("<img src=x>",))), SOUND, SENDER)
    assert "<script>" not in body(mail, "html")
    assert "<img" not in body(mail, "html")
    assert "<script>" in body(mail, "plain")


def test_an_id_that_is_none_of_ours_makes_no_mail_of_any_kind() -> None:
    for make in (compose, compose_plainly):
        with pytest.raises(Unbuildable):
            make(message(message_id="x\r\nBcc: a@b.example"), SOUND, SENDER)


def test_a_message_too_large_for_its_mailbox_says_that_it_is_kept() -> None:
    mail = compose(message(), None, SENDER)
    assert "has not been deleted" in body(mail, "plain")
    assert "deleted here" not in body(mail, "plain")
    assert attachments(mail) == []


def test_a_plain_mail_needs_no_zone_and_no_language() -> None:
    broken = message(deliver=delivery(zone="Nowhere/Else", language="xx"))
    with pytest.raises(KeyError):
        compose(broken, SOUND, SENDER)
    assert attachments(compose_plainly(broken, SOUND, SENDER))[0][2] == SOUND.data


def test_the_file_is_named_by_number_time_and_id_alone() -> None:
    names = {file_name(message(caller=caller), SOUND) for caller in ("+32470111222", "", "112")}
    assert names == {"voicemail-3280012345-20261124-140507-1a2b3c4d.mp3"}


def voice(seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Syllables of a voiced sound with moving pitch: much like speech to an encoder."""
    t = np.arange(int(8000 * seconds)) / 8000
    pitch = 2 * np.pi * np.cumsum(140 + 30 * np.sin(2 * np.pi * 0.7 * t)) / 8000
    voiced = sum(np.sin(k * pitch) / k for k in range(1, 20)) * (np.sin(2 * np.pi * 1.7 * t) > -0.3)
    return np.asarray(voiced / np.abs(voiced).max() * 12000, np.int16)


def wav_of(samples: np.ndarray[Any, np.dtype[np.int16]]) -> bytes:
    made = io.BytesIO()
    soundfile.write(made, samples, 8000, format="WAV", subtype="PCM_16")
    return made.getvalue()


@pytest.mark.parametrize("chosen", get_args(Format))
def test_the_owner_hears_what_was_said_in_every_format(chosen: Format) -> None:
    said = voice(6)
    sound = encode(wav_of(said), LADDER[chosen][0], serial=7)
    heard, rate = soundfile.read(io.BytesIO(sound.data))
    # An encoder may be late, by 138 ms at most; what is compared is the sound, not its beginning.
    compared = len(said) - 1200
    alike = max(np.corrcoef(said[:compared], heard[k : k + compared])[0, 1] for k in range(0, 1200, 2))
    assert (rate, alike > 0.95) == (8000, True), alike


@pytest.mark.parametrize("codec", NAMED)
def test_encoded_again_it_is_the_same_to_the_byte(codec: Codec) -> None:
    wav = wav_of(voice(2))
    assert encode(wav, codec, serial=7) == encode(wav, codec, serial=7)


def test_each_step_of_the_ladder_is_smaller_than_the_one_before() -> None:
    wav = wav_of(voice(10))
    for steps in LADDER.values():
        sizes = [len(encode(wav, codec, serial=7).data) for codec in steps]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] < 12_000


def test_ogg_pages_have_the_checksum_of_the_specification() -> None:
    """CRC-32 of polynomial 04C11DB7, not reflected, from zero: what `123456789` comes to."""
    assert checksum(b"123456789") == 0x89A1897F
