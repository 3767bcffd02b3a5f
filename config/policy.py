"""Where calls may be sent: not to emergency, short or paid numbers, nor outside the allowed countries."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, shortnumberinfo

from config.countries import EUROPE
from dialplan.address import is_address, parts

# Each minute of these pays their holder: routes to them are the usual way of telephone fraud.
PAID = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER})
# Paid ranges that phonenumbers 9.0.43 does not recognize: BE 070; ES 905, 907-909; DE 0137, 0138, 019x;
# AT 071x; IT 892-895; NL 090x with a digit more or less; PT 76x; satellite and international premium.
PAID_UNKNOWN = re.compile(
    r"\+(32(70|90\d)|3490[5789]|49(13[78]|19)|4371[0-8]|3989[2-5]|3190[069]|35176|87|88[1238]|979)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Which destinations are allowed. `countries`: ISO 3166-1 codes of two letters.

    `accepted`: the folder was accepted before, and only what it refers to is checked again. `domains`: those
    of SIP addresses; each has a trunk.
    """

    countries: frozenset[str] = EUROPE
    accepted: bool = False
    domains: frozenset[str] = frozenset()

    @property
    def rules(self) -> str:
        """What a cache of readings depends on besides the software."""
        return " ".join(sorted(self.countries))

    def objection(self, to: str) -> str | None:
        """Return why this number (E.164) or address may not be dialled, and the remedy; None if it may."""
        if is_address(to):
            return self._objection_to_domain(parts(to)[1])
        return _objection(to, self.countries)

    def _objection_to_domain(self, domain: str) -> str | None:
        if self.accepted or domain in self.domains:  # without its trunk it is not dialled
            return None
        if near := get_close_matches(domain, self.domains, 1):
            return f"{domain} is not an allowed domain; did you mean `{near[0]}`?"
        return (
            f"{domain} is not an allowed domain; if that is meant, write the file of a trunk with "
            f"sip_domain: {domain}  and its host"
        )


@lru_cache(maxsize=100_000)  # 60 us each, and a routing folder repeats its destinations
def _objection(number: str, countries: frozenset[str]) -> str | None:
    parsed = phonenumbers.parse(number)
    country = _country(parsed)
    national = phonenumbers.national_significant_number(parsed)
    if shortnumberinfo.is_emergency_number(national, country):
        return f"{number} is an emergency number, never a destination; write a subscriber's number"
    if shortnumberinfo.is_valid_short_number(parsed):
        return f"{number} is a short number, never a destination; write a subscriber's number"
    if PAID_UNKNOWN.match(number) or phonenumbers.number_type(parsed) in PAID:
        return f"{number} is a premium or shared-cost number, never a destination; write an ordinary number"
    if country not in countries:
        return f"{number} is in {country}; if that is meant, allow it in the settings: destinations.countries"
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return f"{number} has not as many digits as numbers of {country} have; check it digit by digit"
    return None


def _country(parsed: PhoneNumber) -> str:
    """Return the country of a number; the main one if the digits do not decide between several."""
    return phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
