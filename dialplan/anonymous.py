"""A number without the digits that name a person: its country and prefix. Of a SIP address: its domain."""

import phonenumbers

from dialplan.address import SCHEME, is_address, parts

LEFT_OUT = 4  # digits, at least: a shorter rest could be tried through
UNPARSED = 4  # digits that stay of a number that is in no number plan


def country_and_prefix(number: str) -> str:
    """`+32470123456` becomes `+32470`, `+3221112233` becomes `+322`; a short number loses four digits or all.

    Of a number in no number plan the first four digits stay. Apply it once: a result is a number again.
    `sip:reception@pbx.acme.example` becomes `sip:pbx.acme.example`.
    """
    if is_address(number):
        return f"{SCHEME}{parts(number)[1] or number.removeprefix(SCHEME)}"
    digits = number.removeprefix("+")
    kept = digits[: max(min(_prefix(digits), len(digits) - LEFT_OUT), 0)]
    return number[: len(number) - len(digits)] + kept if kept else ""


def _prefix(digits: str) -> int:
    """How many digits country and prefix have."""
    try:
        parsed = phonenumbers.parse(f"+{digits.removeprefix('00')}")
    except phonenumbers.NumberParseException:
        return UNPARSED
    country = len(digits) - len(phonenumbers.national_significant_number(parsed))
    return max(country, 0) + phonenumbers.length_of_national_destination_code(parsed)
