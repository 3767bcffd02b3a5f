"""Kinds of callers, as a route names them: by prefix, country, kind of line, presentation or list."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import phonenumbers
from phonenumbers import PhoneNumberType
from pydantic import BeforeValidator, PlainValidator, model_validator

from dialplan.caller import Caller, Presentation
from dialplan.caller_list import CallerList
from dialplan.lists import Lists
from dialplan.model import TEXT, Model, Written, listed
from dialplan.references import CallerListSetting

Line = Literal["mobile", "fixed"]
LINES: Mapping[str, frozenset[int]] = {
    "mobile": frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}),
    "fixed": frozenset({PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE}),
}
SHOWN_DIGITS = 6  # of a prefix, in a reason that is logged: a longer one may be a person's whole number


@dataclass(frozen=True, slots=True)
class Word:
    """A kind in one or two words: `withheld`, `unknown`, `+3247`, `BE`, `mobile`, `BE mobile`."""

    text: str
    presentation: Presentation | None = None
    prefix: str = ""  # digits, without the plus
    country: str = ""
    line: str = ""

    def fits(self, caller: Caller, digits: str) -> bool:
        """`digits`: the caller's number, E.164 without the plus; empty where there is none."""
        match self.presentation:
            case Presentation.WITHHELD:
                return caller.withheld
            case Presentation.UNKNOWN:
                return not digits and not caller.withheld
        if self.prefix or not digits:
            return bool(digits) and digits.startswith(self.prefix)
        return self._fits_line(digits)

    def _fits_line(self, digits: str) -> bool:
        try:
            number = phonenumbers.parse(f"+{digits}")
        except phonenumbers.NumberParseException:
            return False
        if self.country and phonenumbers.region_code_for_number(number) != self.country:
            return False
        return not self.line or phonenumbers.number_type(number) in LINES[self.line]


def read_word(written: object) -> Word:
    """Parse a kind of one or two words. Raises ValueError with the remedy."""
    text = str(written)
    if text in (Presentation.WITHHELD, Presentation.UNKNOWN):
        return Word(text, Presentation(text))
    if text.startswith("+"):
        if not re.fullmatch(r"\+[1-9][0-9]{0,14}", text, re.ASCII):
            raise ValueError(f"`{text}` is not a prefix; write +, country code and digits: +3247")
        return Word(text, prefix=text[1:])
    country, line = _country_and_line(text)
    if not (country or line) or (country and country not in phonenumbers.SUPPORTED_REGIONS):
        near = country.upper()
        remedy = f"; did you mean {near}?" if near in phonenumbers.SUPPORTED_REGIONS else ""
        raise ValueError(
            f"`{text}` is not a kind of callers; write withheld, unknown, a prefix (+3247), a country (BE), "
            f"mobile, fixed, BE mobile, BE fixed or {{list: NAME}}{remedy}"
        )
    return Word(text, country=country, line=line)


def _country_and_line(text: str) -> tuple[str, str]:
    first, _, second = text.partition(" ")
    if first in LINES and not second:
        return "", first
    return (first, second) if not second or second in LINES else (text, "")


class CallerKind(Model):
    """`withheld`, `unknown`, `+3247`, `BE`, `mobile`, `BE fixed`, or `{list: NAME}` of callers/NAME.txt."""

    alone: ClassVar = "word"

    word: Annotated[
        Word | None,
        PlainValidator(read_word),
        Written(
            description="`withheld`, `unknown`, a prefix, a country, `mobile`, `fixed`, `BE mobile`",
            type=TEXT,
            pattern=r"^(withheld|unknown|mobile|fixed|\+[1-9][0-9]{0,14}|[A-Z]{2}( (mobile|fixed))?)$",
        ),
    ] = None
    list: CallerListSetting | None = None

    @classmethod
    def noun(cls) -> str:
        return "a kind of callers"

    @model_validator(mode="before")
    @classmethod
    def _word_alone(cls, written: Any) -> Any:
        return {"word": written} if isinstance(written, str) else written

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.word is None) == (self.list is None):
            raise ValueError("write one kind of callers, such as withheld, BE mobile or {list: NAME}")
        return self

    def fits(self, caller: Caller, lists: Lists) -> bool:
        """Whether this caller is of the kind. `lists`: those of the routing version."""
        digits = international_digits(caller)
        if self.word is not None:
            return self.word.fits(caller, digits)
        known = lists.get(self.list or "")
        return bool(digits) and isinstance(known, CallerList) and digits in known

    def __str__(self) -> str:
        """The kind as a reason names it. Reasons are logged, and a caller's number must not be."""
        if self.word is None:
            return f"list {self.list}"
        long = len(self.word.prefix) > SHOWN_DIGITS
        return f"+{self.word.prefix[:SHOWN_DIGITS]}…" if long else self.word.text


def international_digits(caller: Caller) -> str:
    """Return the caller's number as country code and number; empty if it is missing or national."""
    digits = (caller.number or "").removeprefix("+")
    return "" if digits.startswith("0") else digits


# The type of a setting that names callers: one kind, or a list of kinds of which one must fit.
CallerKinds = Annotated[tuple[CallerKind, ...], BeforeValidator(listed, CallerKind | tuple[CallerKind, ...])]
