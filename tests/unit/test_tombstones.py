"""What a line of the chain covers: every word of it, and all before it."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from storage.tombstones import NOTHING, Head, Tombstone

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
STONE = Tombstone(
    audio_id="018f0000-0000-7000-8000-000000000001-vm1",
    kind="message",
    owner="acme",
    began=NOON,
    destroy_after=NOON + timedelta(hours=1),
    destroyed_at=NOON + timedelta(hours=2),
    reason="delivered",
    method="key+object",
    versions=1,
    cipher_sha256="ab" * 32,
)
OTHER: dict[str, Any] = {
    "audio_id": "018f0000-0000-7000-8000-000000000002-vm1",
    "kind": "recording",
    "owner": "other",
    "began": NOON + timedelta(microseconds=1),
    "destroy_after": None,
    "destroyed_at": NOON,
    "reason": "deadline",
    "method": "file",
    "versions": 0,
    "cipher_sha256": None,
}


def test_every_field_is_told_otherwise_here() -> None:
    assert set(OTHER) == {field.name for field in fields(Tombstone)}


@pytest.mark.parametrize("name", OTHER)
def test_no_field_can_be_changed_unseen(name: str) -> None:
    assert replace(STONE, **{name: OTHER[name]}).hash(1, NOTHING) != STONE.hash(1, NOTHING)


def test_neither_its_place_nor_what_is_before_it_can_be_changed_unseen() -> None:
    assert len({STONE.hash(1, NOTHING), STONE.hash(2, NOTHING), STONE.hash(1, "1" * 64)}) == 3


def test_the_zone_in_which_an_instant_is_told_does_not_matter() -> None:
    brussels = timezone(timedelta(hours=1))
    assert replace(STONE, began=NOON.astimezone(brussels)).hash(1, NOTHING) == STONE.hash(1, NOTHING)


def test_the_hash_stays_what_it_was_in_earlier_versions() -> None:
    """Changed, and every chain that was ever written would be called broken."""
    assert STONE.hash(1, NOTHING) == "c344fde82e15139140540e395d9a05437cb011c3ed25529accfc00d1cd01dd3b"


def test_a_head_is_told_as_it_is_asked_for() -> None:
    assert str(Head(12, "ab" * 32)) == f"12:{'ab' * 32}"
