"""A service number and its owner, as the operator writes them."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dialplan.calendar import Calendar, Holidays
from dialplan.caller import Caller
from dialplan.delivery import Delivery, Format
from dialplan.destination import DestinationNumber
from dialplan.expect import Expect
from dialplan.lists import Lists
from dialplan.model import E164, Label, Model, Name, Written, listed
from dialplan.names import Language
from dialplan.period import Anonymising, Period, PeriodOfRecords
from dialplan.prompt import RECORDING_PROMPTS
from dialplan.references import OwnerName, references, refuse
from dialplan.step import NO_LISTS, Facts, Plan
from dialplan.steps import Steps, visit
from dialplan.walk import walk


class RecordingPolicy(StrEnum):
    """Whether calls are recorded, and whether the caller decides."""

    OFF = "off"
    ANNOUNCE = "announce"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"

    @property
    def announcement(self) -> str:
        """The built-in prompt that announces it to the caller; "" if nothing is recorded."""
        by_policy = zip((self.ANNOUNCE, self.OPT_OUT, self.OPT_IN), RECORDING_PROMPTS, strict=True)
        return dict(by_policy).get(self, "")

    @property
    def asks(self) -> bool:
        """Whether the caller decides, by a key."""
        return self in (self.OPT_OUT, self.OPT_IN)

    def allows(self, *, pressed: bool) -> bool:
        """Whether a caller who heard the whole announcement is recorded. `pressed`: the key."""
        return self is self.ANNOUNCE or (self.asks and pressed is (self is self.OPT_IN))


def check_mail(text: str) -> str:
    """Return the mail address itself, if it is one, without characters that could break out of a header."""
    if not re.fullmatch(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", text, re.ASCII
    ):
        raise ValueError(f"`{text}` is not a mail address; write one as in  office@acme.example")
    return text


MailAddress = Annotated[
    str,
    AfterValidator(check_mail),
    Written(
        description="a mail address", type="string", pattern=r"^[^@\s]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$"
    ),
]


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def read_zone(written: object) -> ZoneInfo:
    """Return the time zone of this name. Raises ValueError with the remedy."""
    name = str(written)
    if name in zone_names():
        return ZoneInfo(name)
    near = "".join(f"; did you mean {other}?" for other in get_close_matches(name, zone_names(), 1))
    raise ValueError(f"`{name}` is not a time zone; write one as in  Europe/Brussels{near}")


def dial_key(dialled: str) -> str:
    """Return the digits that identify a number, which a trunk sends as `+3270..`, `003270..` or `3270..`."""
    return dialled.removeprefix("+").removeprefix("00")


def international(number: str, country: str = "") -> str:
    """Return a number of the trunk with `+` instead of `00`, or instead of `0` if `country` is given.

    Carriers send +32470..., 0032470..., 32470... or 0470..., each its own form.
    """
    if number.startswith("00"):
        return f"+{number[2:]}"
    if country and number.startswith("0"):
        return f"+{country}{number[1:]}"
    return number


class Owner(Model):
    """The owner of numbers: a file owners/NAME.yaml; its numbers name it as `owner: NAME`.

    name: ACME Dentists
    language: nl                         nl, fr, de, es or en: of prompts and mails
    mail: office@acme.example            where messages go; several: [a@acme.example, b@acme.example]
    mail_then: boss@acme.example         where they go when none of these can be reached
    audio: mp3                           mp3, wav or opus
    missed_calls: mail                   a mail for a call without an answer and without a message; or off
    unreachable: off                     no mail when a destination cannot be reached three times in a row
    require_tls: true                    no mail without encryption and a verified server
    keep_recordings: 30 days             hours, days or weeks
    anonymise_after: 180 days            then numbers of callers and destinations lose their last digits
    keep_records: 400 days               then call records are destroyed; otherwise as the settings say
    recordings: flac                     wav, flac, mp3 or opus
    recording_notice: we-record          a prompt of the owner; otherwise callengine's
    destinations_know: true              destinations agreed once and for all: only the caller hears it
    caller_may_stop: true                *9 ends the recording, and the conversation goes on
    """

    name: Annotated[Label, Field(examples=["ACME Dentists"])]
    language: Language = "en"
    mail: Annotated[
        tuple[MailAddress, ...], BeforeValidator(listed, MailAddress | tuple[MailAddress, ...])
    ] = ()
    mail_then: MailAddress | None = None
    audio: Format = "mp3"
    missed_calls: Literal["off", "mail"] = "off"
    unreachable: Literal["off", "mail"] = "mail"
    require_tls: bool = False
    keep_recordings: Period = timedelta(days=30)
    anonymise_after: Anonymising | None = None
    keep_records: PeriodOfRecords | None = None
    recordings: Literal["wav", "flac", "mp3", "opus"] = "flac"
    recording_notice: Name | None = None
    destinations_know: bool = False
    caller_may_stop: bool = False

    @classmethod
    def noun(cls) -> str:
        return "an owner"

    @field_validator("mail_then", "missed_calls")
    @classmethod
    def _has_mail(cls, setting: str, info: ValidationInfo) -> str:
        if setting != "off" and info.data.get("mail") == ():
            raise ValueError("means nothing without `mail`; write  mail: office@acme.example")
        return setting


class ServiceNumber(Model):
    """A service number, and what happens to a call to it: a file of numbers/.

    number: +3270012345
    owner: acme                          the file owners/acme.yaml
    label: Praktijk Tongeren             the owner's name for the number, used in mails
    timezone: Europe/Brussels            all hours of the file are local time there
    holidays: [BE, 2026-12-24]           public holidays, days of the owner's own, `not 2026-04-03`
    record: announce                     whether calls are recorded, and whether the caller decides by a key
    fallback: +3221112233                what Asterisk dials by itself when the engine is away
    max_minutes: 120                     a longer conversation is ended, 1 to 720
    route: [...]                         the steps of a call, from top to bottom
    expect: [{at: 2026-12-25 10:00}]     calls that are tried out whenever the file is read
    """

    number: Annotated[E164, Field(examples=["+3270012345"])]
    owner: OwnerName
    label: Label = ""
    timezone: Annotated[
        ZoneInfo,
        PlainValidator(read_zone),
        Written(description="a time zone such as Europe/Brussels", type="string"),
        Field(examples=["Europe/Brussels"]),
    ]
    holidays: Holidays = Calendar()
    record: RecordingPolicy = RecordingPolicy.OFF
    fallback: DestinationNumber | None = None
    max_minutes: Annotated[int, Field(ge=1, le=720)] = 240
    route: Annotated[Steps, Field(examples=[" and under it  - ring: +3221112233"])]
    expect: tuple[Expect, ...] = ()

    @classmethod
    def noun(cls) -> str:
        return "a number"

    @model_validator(mode="after")
    def _place_steps(self) -> Self:
        for path, step in visit(self.route):
            step.placed_at(path)
        return self

    @field_validator("record")
    @classmethod
    def _announced(cls, record: RecordingPolicy, info: ValidationInfo) -> RecordingPolicy:
        if record.announcement and (known := references(info)):
            refuse(known.announcement(record.announcement))
        return record

    @property
    def zone(self) -> ZoneInfo:
        return self.timezone

    @property
    def calendar(self) -> Calendar:
        return self.holidays

    @property
    def key(self) -> str:
        return dial_key(self.number)

    def facts(
        self,
        now: datetime,
        caller: Caller,
        lists: Lists = NO_LISTS,
        *,
        call_id: str = "",
        switches: Collection[str] = (),
        unreachable: Collection[str] = (),
    ) -> Facts:
        """Return everything that the route may depend on, for a call that comes in at `now` (aware)."""
        return Facts(now, caller, self.zone, self.calendar, lists, call_id, switches, unreachable)

    @property
    def switches(self) -> tuple[str, ...]:
        """The names of the switches that the route depends on, in order, each once."""
        return tuple(dict.fromkeys(name for _, step in visit(self.route) for name in step.switches))

    @property
    def destinations(self) -> frozenset[str]:
        """The numbers that the route may ring."""
        return frozenset(str(to) for _, step in visit(self.route) for to in step.destinations)

    def plan(self, facts: Facts) -> Plan:
        return walk(self.route, facts)

    def announcement(self, owner: Owner) -> str:
        """Return the prompt that announces the recording to the caller; "" if nothing is recorded."""
        return self.record.announcement and (owner.recording_notice or self.record.announcement)

    def statement(self, owner: Owner) -> str:
        """Return the prompt that announces the recording to the destination, which is never asked."""
        asked = self.record.asks
        return RecordingPolicy.ANNOUNCE.announcement if asked else self.announcement(owner)

    def delivery(self, owner: Owner, path: tuple[str, ...] = (), language: str = "") -> Delivery:
        """Return how a message about a call to this number reaches its owner.

        `path`: the keys pressed; `language`: that which the caller chose, if any.
        """
        return Delivery(
            to=owner.mail,
            then=owner.mail_then,
            language=language or owner.language,
            audio=owner.audio,
            zone=self.zone.key,
            require_tls=owner.require_tls,
            label=self.label,
            path=path,
        )
