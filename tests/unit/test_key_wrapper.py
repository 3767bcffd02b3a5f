"""Keys: what is sealed opens only as itself, with its own key, wrapped by a master key that is known."""

import pytest

from storage.key_wrapper import (
    KeyWrapper,
    MasterKeyError,
    SealBroken,
    new_key,
    new_master_key,
    open_sealed,
    seal,
)

SOUND = b"RIFF and what was said" * 100


def test_what_is_sealed_opens_as_it_was() -> None:
    key = new_key()
    assert open_sealed(key, "a-vm1", seal(key, "a-vm1", SOUND)) == SOUND


def test_what_is_sealed_shows_nothing_of_the_sound() -> None:
    assert b"what was said" not in seal(new_key(), "a-vm1", SOUND)


def test_it_opens_neither_with_another_key_nor_as_another_sound_nor_changed() -> None:
    key = new_key()
    sealed = seal(key, "a-vm1", SOUND)
    flipped = sealed[:50] + bytes([sealed[50] ^ 1]) + sealed[51:]
    for wrong in (
        (new_key(), "a-vm1", sealed),
        (key, "b-vm1", sealed),
        (key, "a-vm1", flipped),
        (key, "a-vm1", sealed[:-1]),
        (key, "a-vm1", b""),
    ):
        with pytest.raises(SealBroken):
            open_sealed(*wrong)


def test_a_wrapped_key_comes_back_for_its_own_sound_only() -> None:
    key_wrapper, key = KeyWrapper(new_master_key()), new_key()
    wrapped = key_wrapper.wrap(key, "a-vm1")
    assert key_wrapper.unwrap(wrapped, "a-vm1") == key
    assert key not in wrapped
    with pytest.raises(SealBroken):
        key_wrapper.unwrap(wrapped, "b-vm1")


def test_a_replaced_master_key_still_opens_what_it_wrapped_but_wraps_no_more() -> None:
    old, new = new_master_key(), new_master_key()
    key = new_key()
    before = KeyWrapper(old).wrap(key, "a-vm1")
    both = KeyWrapper(f"{new}, {old}")
    assert both.unwrap(before, "a-vm1") == key
    assert KeyWrapper(new).unwrap(both.wrap(key, "a-vm1"), "a-vm1") == key


def test_in_an_epoch_a_key_opens_with_master_key_and_epoch_key_together_only() -> None:
    key_wrapper, key, epoch, other = KeyWrapper(new_master_key()), new_key(), new_key(), new_key()
    wrapped = key_wrapper.in_epoch(epoch).wrap(key, "group key")
    assert key_wrapper.in_epoch(epoch).unwrap(wrapped, "group key") == key
    for wrong in (key_wrapper, key_wrapper.in_epoch(other), key_wrapper.in_epoch(bytes(32))):
        with pytest.raises(SealBroken):
            wrong.unwrap(wrapped, "group key")
    with pytest.raises(MasterKeyError):
        KeyWrapper(new_master_key()).in_epoch(epoch).unwrap(wrapped, "group key")


def test_a_replaced_master_key_opens_in_an_epoch_too() -> None:
    old, new, epoch, key = new_master_key(), new_master_key(), new_key(), new_key()
    before = KeyWrapper(old).in_epoch(epoch).wrap(key, "group key")
    both = KeyWrapper(f"{new},{old}").in_epoch(epoch)
    assert both.unwrap(before, "group key") == key
    assert KeyWrapper(new).in_epoch(epoch).unwrap(both.wrap(key, "group key"), "group key") == key


def test_an_unknown_master_key_is_told_by_its_id() -> None:
    wrapped = KeyWrapper(new_master_key()).wrap(new_key(), "a-vm1")
    with pytest.raises(MasterKeyError, match=f"wrapped by master key {wrapped[:4].hex()}"):
        KeyWrapper(new_master_key()).unwrap(wrapped, "a-vm1")


@pytest.mark.parametrize("text", ["", "  ", "c2hvcnQ=", "not base64!", "QUJD" * 10])
def test_what_is_no_master_key_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(MasterKeyError, match="callengine settings --new-key"):
        KeyWrapper(text)
