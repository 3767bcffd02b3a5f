"""Return addresses: each stands for one message and one recipient, and nobody else can make one."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.return_address import ReturnAddresses, Returned, digest, is_unsigned

ID = "018f0000-0000-7000-8000-00001a2b3c4d-vm1"
MISSED = f"{ID[:36]}-missed"
OFFICE = "office@acme.example"
ADDRESSES = ReturnAddresses([b"k" * 32])
UNSIGNED = f"vm+{ID}={digest(OFFICE)}@provider.example"


def address_of(message_id: str = ID, recipient: str = OFFICE) -> str:
    return ADDRESSES.make(message_id, recipient, "provider.example")


@pytest.mark.parametrize("message_id", [ID, MISSED, f"{ID[:36]}-vm99"])
def test_an_address_stands_for_a_message_and_its_recipient(message_id: str) -> None:
    address = address_of(message_id)
    assert ADDRESSES.read(address) == Returned(message_id, digest(OFFICE))
    assert ADDRESSES.read(address.upper()) == Returned(message_id, digest(OFFICE)), "some servers shout"


@pytest.mark.parametrize("message_id", [ID, MISSED, f"{ID[:36]}-vm99"])
def test_every_address_is_short_enough(message_id: str) -> None:
    address = address_of(message_id, "x" * 64 + "@acme.example")
    assert len(address.partition("@")[0]) <= 64  # RFC 5321, 4.5.3.1.1


def test_an_id_that_is_not_ours_gets_no_address() -> None:
    with pytest.raises(ValueError, match="not one of ours"):
        address_of("018f0000-0000-7000-8000-00001a2b3c4d-vm1\r\n")


@given(place=st.integers(3, 62), instead=st.sampled_from(string.ascii_lowercase + string.digits + "=+"))
def test_an_address_with_any_character_changed_is_nobody_s(place: int, instead: str) -> None:
    address = address_of()
    changed = address[:place] + instead + address[place + 1 :]
    assert (ADDRESSES.read(changed) is not None) == (changed == address)


def test_a_token_fits_no_other_message_and_no_other_recipient() -> None:
    token = address_of().partition("@")[0][-16:]
    for other in (address_of(MISSED), address_of(recipient="owner@acme.example")):
        local = other.partition("@")[0]
        assert ADDRESSES.read(f"{local[:-16]}{token}@provider.example") is None


def test_an_address_made_with_another_key_is_nobody_s() -> None:
    assert ReturnAddresses([b"x" * 32]).read(address_of()) is None


def test_a_former_key_still_reads() -> None:
    assert ReturnAddresses([b"x" * 32, b"k" * 32]).read(address_of()) is not None


def test_an_address_of_an_earlier_version_is_known_and_not_read() -> None:
    assert ADDRESSES.read(UNSIGNED) is None
    assert is_unsigned(UNSIGNED)
    assert not is_unsigned(address_of())


@pytest.mark.parametrize(
    "address",
    ["", OFFICE, "vm+@provider.example", address_of() + "\n", address_of().replace("@", "@a@"), "<>"],
)
def test_any_other_address_is_nobody_s(address: str) -> None:
    assert ADDRESSES.read(address) is None
    assert not is_unsigned(address)


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(address: str) -> None:
    assert ADDRESSES.read(address) is None
