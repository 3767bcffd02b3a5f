"""The database agrees with the tables of transitions: each function, tried from each state."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

import asyncpg
import pytest

from storage import audio_states, message_states
from storage.access import Access
from storage.audio_states import AudioState, Stored
from storage.message_states import MessageState
from tests.store.calls import NOON, call_id
from tests.store.sounds import DELIVER

Act = Callable[[asyncpg.Connection, str], Awaitable[object]]
TOMBSTONE = """
INSERT INTO tombstone (seq, audio_id, kind, owner, began, destroyed_at, reason, method, versions, prev, hash)
VALUES (1, $1, 'message', 'acme', now(), now(), 'delivered', 'key+object', 1, '', '')
"""
ID, ANOTHER = f"{call_id(1)}-vm1", f"{call_id(1)}-vm2"

OF_MESSAGES: Mapping[message_states.Event, Act] = {
    message_states.Event.STORED: message_states.stored,
    message_states.Event.SILENT: lambda con, it: message_states.silent(con, it, "silent"),
    message_states.Event.NO_ADDRESS: lambda con, it: message_states.without_address(con, [it]),
    message_states.Event.ACCEPTED: message_states.accepted,
    message_states.Event.REFUSED: lambda con, it: message_states.to_second_address(con, it, bounced=False),
    message_states.Event.BOUNCED: lambda con, it: message_states.to_second_address(con, it, bounced=True),
    message_states.Event.FAILED: lambda con, it: message_states.undeliverable(con, it, bounced=True),
    message_states.Event.RETRIED: message_states.retried,
    message_states.Event.GIVEN_UP: lambda con, it: message_states.given_up(con, it, "voicemail"),
    message_states.Event.MISSED_GIVEN_UP: lambda con, it: message_states.given_up(con, it, "missed"),
    message_states.Event.DESTROYED: message_states.destroyed,
}


async def restore_destroyed(con: asyncpg.Connection, audio_id: str) -> bool:
    await con.execute(f"{TOMBSTONE} ON CONFLICT DO NOTHING", audio_id)
    before = await states(con, "audio")
    await audio_states.restore_destroyed(con, [audio_id])
    return await states(con, "audio") != before


OF_AUDIO: Mapping[audio_states.Event, Act] = {
    audio_states.Event.STORED: lambda con, it: audio_states.store(con, it, Stored(2.5, 40_044, "a", "b")),
    audio_states.Event.ABSENT: lambda con, it: audio_states.declare_absent(con, it, "silent", 2.5),
    audio_states.Event.SHREDDED: audio_states.shred,
    audio_states.Event.DESTROYED: audio_states.destroy,
    audio_states.Event.DESTROYED_SINCE: restore_destroyed,
}


@pytest.fixture
async def con(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def message(message_id: str, kind: str = "voicemail") -> dict[str, Any]:
    return {
        "message_id": message_id,
        "kind": kind,
        "call_id": call_id(1),
        "owner": "acme",
        "number": "+3280012345",
        "caller": None,
        "withheld": True,
        "began": NOON.isoformat(),
        "outcome": "voicemail",
        "deliver": DELIVER,
        "or_missed": True,
    }


def audio(audio_id: str) -> dict[str, Any]:
    return {
        "audio_id": audio_id,
        "kind": "message",
        "call_id": call_id(1),
        "owner": "acme",
        "node": "here",
        "began": NOON.isoformat(),
    }


async def states(con: asyncpg.Connection, table: str) -> dict[str, str]:
    rows = await con.fetch(f"SELECT {table}_id AS id, state FROM {table}")  # noqa: S608
    return {row["id"]: row["state"] for row in rows}


async def force(con: asyncpg.Connection, table: str, state: str) -> None:
    """Put the row into this state, whatever the machine says; nobody tries that but a test."""
    await con.execute(f"UPDATE {table} SET state = $2 WHERE {table}_id = $1", ID, state)  # noqa: S608


async def test_each_transition_of_a_message_is_made_from_its_states_and_from_no_other(
    con: asyncpg.Connection,
) -> None:
    machine = message_states.TRANSITIONS
    await message_states.add(con, [message(ID), message(ANOTHER)])
    assert set(OF_MESSAGES) == {row.event for row in machine if row.sources}
    for event, act in OF_MESSAGES.items():
        for source in MessageState:
            await force(con, "message", source)
            changed = await act(con, ID)
            expected = machine.target(event) if source in machine.sources(event) else source
            assert await states(con, "message") == {ID: expected, ANOTHER: "recorded"}, (event, source)
            assert bool(changed) is (source in machine.sources(event)), (event, source)


async def test_each_transition_of_audio_is_made_from_its_states_and_from_no_other(
    con: asyncpg.Connection,
) -> None:
    machine = audio_states.TRANSITIONS
    await audio_states.add(con, [audio(ID), audio(ANOTHER)])
    await con.execute("UPDATE audio SET destroy_after = now() - interval '1 minute'")
    assert set(OF_AUDIO) == {row.event for row in machine if row.sources}
    for event, act in OF_AUDIO.items():
        for source in AudioState:
            await force(con, "audio", source)
            changed = await act(con, ID)
            expected = machine.target(event) if source in machine.sources(event) else source
            assert await states(con, "audio") == {ID: expected, ANOTHER: "recorded"}, (event, source)
            assert bool(changed) is (source in machine.sources(event)), (event, source)


async def test_a_message_begins_as_its_kind_says_and_only_once(con: asyncpg.Connection) -> None:
    missed = message(f"{call_id(1)}-missed", "missed")
    added = await message_states.add(con, [message(ID), missed])
    assert added == [(ID, MessageState.RECORDED), (missed["message_id"], MessageState.WAITING)]
    assert await message_states.stored(con, ID)
    assert await message_states.add(con, [message(ID), missed]) == []
    assert (await states(con, "message"))[ID] == "waiting"


async def test_audio_begins_recorded_or_as_an_orphan_and_only_once(con: asyncpg.Connection) -> None:
    assert await audio_states.add(con, [audio(ID)]) == [ID]
    assert await audio_states.add(con, [audio(ID)]) == []
    for audio_id in (ID, ANOTHER):
        await audio_states.add_orphan(
            con, audio_id, kind="message", call_id=call_id(1), node="here", written=NOON
        )
    assert await states(con, "audio") == {ID: "recorded", ANOTHER: "absent"}


async def test_audio_that_has_a_tombstone_does_not_come_back(con: asyncpg.Connection) -> None:
    await con.execute(TOMBSTONE, ID)
    assert await audio_states.add(con, [audio(ID)]) == []
    assert await states(con, "audio") == {}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audio SET hold = 'court 12/2026'",
        "UPDATE audio SET destroy_after = now() + interval '1 minute'",
        "UPDATE audio SET destroy_after = NULL",
    ],
)
async def test_audio_that_is_held_or_not_due_is_not_shredded(con: asyncpg.Connection, change: str) -> None:
    await audio_states.add(con, [audio(ID)])
    await con.execute("UPDATE audio SET destroy_after = now()")
    await con.execute(change)
    assert not await audio_states.shred(con, ID)
    assert await states(con, "audio") == {ID: "recorded"}


async def test_why_a_message_was_not_delivered_stays_when_it_is_destroyed(con: asyncpg.Connection) -> None:
    await message_states.add(con, [message(ID)])
    await force(con, "message", MessageState.UNDELIVERABLE)
    assert await message_states.given_up(con, ID, "voicemail")
    assert await message_states.destroyed(con, ID)
    assert await con.fetchval("SELECT why FROM message") == "given up"


async def test_a_message_that_is_in_the_outbox_for_an_address_is_not_called_undeliverable(
    con: asyncpg.Connection,
) -> None:
    await message_states.add(con, [message(ID), {**message(ANOTHER), "deliver": {**DELIVER, "to": []}}])
    for message_id in (ID, ANOTHER):
        await message_states.stored(con, message_id)
    await con.execute(
        "INSERT INTO outbox (message_id, recipient, domain, dated) VALUES ($1, 'a', '', now())", ID
    )
    assert await message_states.without_address(con, [ID, ANOTHER]) == [ANOTHER]
    assert await states(con, "message") == {ID: "waiting", ANOTHER: "undeliverable"}
    assert json.loads(await con.fetchval("SELECT deliver FROM message WHERE message_id = $1", ID)) == DELIVER


@pytest.mark.parametrize(("table", "states"), [("message", MessageState), ("audio", AudioState)])
async def test_the_schema_allows_these_states_and_no_others(
    con: asyncpg.Connection, table: str, states: type[StrEnum]
) -> None:
    check = await con.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = $1", f"{table}_state_check"
    )
    assert set(re.findall(r"'(\w+)'", check)) == set(states)


async def test_the_schema_allows_each_access_that_is_logged_and_no_other(con: asyncpg.Connection) -> None:
    check = await con.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'access_what_check'"
    )
    assert set(re.findall(r"'(\w+)'", check)) == set(Access)
