"""Where a call may be sent, and whose number the destination is shown."""

import re
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dialplan.address import PATTERN, check_address, is_address, parts
from dialplan.model import TEXT, Label, Model, Written, check_e164
from dialplan.opening import Opening
from dialplan.references import ConfirmSetting, WhisperSetting, check_destination


class Present(StrEnum):
    """Whose number a destination is shown. A withheld caller stays withheld under `caller`."""

    CALLER = "caller"
    SERVICE_NUMBER = "service_number"
    ANONYMOUS = "anonymous"


def refuse_short(number: Any) -> Any:
    """Give 112 and the like a better error than a number that is not E.164."""
    if isinstance(number, str) and re.fullmatch(r"\+?[0-9*#]{2,6}", number, re.ASCII):
        raise ValueError(
            f"`{number}` is an emergency or short number, never a destination; write a full one: +3221112233"
        )
    return number


def check_where(text: str) -> str:
    """Return the number or SIP address itself. Raises ValueError."""
    if text[:5].lower() in ("sips:", "tel:+"):
        raise ValueError(
            "write a number as +3221112233, an address as sip:reception@pbx.acme.example; "
            "the file of its trunk says whether it is reached by TLS"
        )
    return check_address(text) if is_address(text.lower()) or "@" in text else check_e164(text)


# The type of everything that a call may be sent to; and of what is compared with it.
Where = Annotated[
    str,
    AfterValidator(check_where),
    Written(
        description="a number such as +3221112233 or a SIP address",
        type=TEXT,
        pattern=rf"^(\+[1-9][0-9]{{6,14}}|{PATTERN})$",
        minimum=10**6,
        maximum=10**15 - 1,
    ),
]
DestinationNumber = Annotated[
    Where, BeforeValidator(refuse_short), AfterValidator(check_destination), Field(examples=["+3221112233"])
]


class Destination(Model):
    """A number or a SIP address to ring: `+3221112233`, `sip:reception@pbx.acme.example`, or with settings.

        label: reception                what `explain` calls it
        number: +3221112233             or a SIP address, see below
        present: service_number         the number it is shown: caller, service_number or anonymous
        present_if_refused: anonymous   the one it is shown in a second try, see below
        hours: mon-fri 09:00-17:00      when it is rung, as in the step `hours`; not on holidays
        seconds: 10                     how long, where destinations ring one after another
        delay: 10                       it rings so many seconds later than the others, where all ring at once
        percent: 50                     its part of the calls, with `strategy: percent`
        max_calls: 2                    how many calls may ring or talk there at once, on this node
        whisper: for-sales              a prompt that it hears first, before it talks with the caller
        confirm: true                   it is asked to press 1 to take the call

    It is shown the caller's number unless `present` says otherwise; a withheld number stays withheld. Some
    networks refuse foreign numbers, with 403, 603 or 608 before it rings: then it is rung again, and shown
    what `present_if_refused` says. A call for which there is no room (`max_calls`) leaves it out, as busy.

    With `confirm`, a mobile's voicemail, which answers and greets, never takes a call. It is asked three
    times in some 15 seconds, in the owner's language; without the key the call goes on, as `no_answer`, and
    `confirmation` of the leg in the call record says so. The caller hears ringing meanwhile, and pays
    nothing. Where all ring at once, the others go on ringing meanwhile; the first that presses 1, or answers
    without being asked, gets the call. A prompt of the owner called `confirm` replaces the built-in request.

    A destination with a `delay` rings until the others stop; it is left alone if one of them takes the call
    before.

    A SIP address is dialled at the telephone system of its domain. Only domains that the operator allows are
    destinations: those that a file of `trunks` has as `sip_domain`. The user has at most 40 letters, digits,
    `-`, `_`, `.` and `+`, and upper and lower case differ; in the domain they do not.
    """

    alone: ClassVar = "number"

    number: DestinationNumber
    present: Present = Present.CALLER
    present_if_refused: Present | None = None
    hours: Opening | None = None
    seconds: Annotated[int, Field(ge=5, le=120)] | None = None
    delay: Annotated[int, Field(ge=1, le=115)] | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    label: Label = ""
    max_calls: Annotated[int, Field(ge=1, le=10_000)] | None = None
    whisper: WhisperSetting | None = None
    confirm: ConfirmSetting = False

    @classmethod
    def noun(cls) -> str:
        return "a destination"

    @model_validator(mode="before")
    @classmethod
    def _number_alone(cls, written: Any) -> Any:
        return {"number": written} if isinstance(written, str) else written

    def with_second_presentation(self) -> "Destination":
        """The same, shown what it is to be shown where its network refused the first."""
        changes = {"present": self.present_if_refused or self.present, "present_if_refused": None}
        return self.model_copy(update=changes)

    def __str__(self) -> str:
        return self.number

    @property
    def user(self) -> str:
        """The user of a SIP address; of a number, the number."""
        return parts(self.number)[0]

    @property
    def domain(self) -> str:
        """The domain of a SIP address; of a number "", which any carrier may dial."""
        return parts(self.number)[1]

    @property
    def summary(self) -> str:
        """The number, its label, and what differs from an ordinary destination."""
        named = f"{self.label} {self}" if self.label else str(self)
        notes = [] if self.present is Present.CALLER else [f"{self.present} shown"]
        notes += [f"{self.delay} s later"] if self.delay else []
        notes += [f"hears {self.whisper}"] if self.whisper else []
        notes += ["asked to press 1"] if self.confirm else []
        return f"{named} ({', '.join(notes)})" if notes else named
