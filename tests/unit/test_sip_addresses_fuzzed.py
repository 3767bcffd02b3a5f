"""Whatever is written as a SIP address is refused, or has no character that Asterisk's dialplan knows."""

import string
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from dialplan.address import LONGEST_DOMAIN, bare, check_address, is_address, parts, whole

USER = frozenset(string.ascii_letters + string.digits + "-_.+")
HOST = frozenset(string.ascii_lowercase + string.digits + "-.")
# What is special in ${}, $[], Dial(), MSet(), CEL's pairs, LEGS, Local/, and Asterisk's files.
SPECIAL = frozenset("${}[]()|&,;:=\"'`\\/<>%*?! \t\r\n\x00")

nearly = st.builds(
    "{}{}@{}".format,
    st.sampled_from(["sip:", "SIP:", "sips:", "", "sip:sip:"]),
    st.text(st.sampled_from([*sorted(USER | SPECIAL), "é", "٣", "ı"]), max_size=45),
    st.text(st.sampled_from([*sorted(HOST | SPECIAL), "\u212a", "A", "İ"]), max_size=110),
)


@given(st.text() | nearly)
@example("sip:reception@pbx.acme.example")
@example("sip:a@\u212a.example")  # KELVIN SIGN, whose lower case is a k: refused
@example("sip:a@b.example\n")
def test_an_accepted_address_is_safe_wherever_it_goes(text: str) -> None:
    with suppress(ValueError):
        address = check_address(text)
        assert text.isascii()
        user, domain = parts(address)
        assert set(user) <= USER
        assert set(domain) <= HOST
        assert not (set(user) | set(domain)) & SPECIAL
        assert (0 < len(user) <= 40, 0 < len(domain) <= LONGEST_DOMAIN) == (True, True)
        assert is_address(address)
        assert check_address(address) == whole(bare(address)) == address == f"sip:{user}@{domain}"


@given(st.from_regex(r"\Asip:[A-Za-z0-9+][A-Za-z0-9+._-]{0,39}@[a-z]{1,20}(\.[a-z0-9]{1,20}){1,3}\Z"))
def test_every_address_of_these_characters_is_accepted(text: str) -> None:
    assert check_address(text) == text
