"""`callengine messages`: what an operator sees of messages, and does about one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.commands.messages import command
from tests.store.posting import Office, Transports, message_id, office, own
from tests.store.smtp import Ways, mail_server

REFUSED = Ways(reply=lambda verb, _: "550 5.1.1 unknown" if verb == "RCPT" else None)


def told(database: str, *words: str) -> Result:
    return CliRunner().invoke(command, ["--database", database, *words])


def listed(database: str, *words: str) -> list[dict[str, Any]]:
    shown = told(database, "--format", "json", *words)
    assert shown.exit_code == 0, shown.output
    found: list[dict[str, Any]] = json.loads(shown.output)
    return found


def with_office(database: str, act: Callable[[Office], Awaitable[Any]], ways: Ways | None = None) -> None:
    """Do this in an office whose only domain has a server of these ways."""

    async def doing() -> None:
        async with (
            mail_server(ways) as kept,
            office(database, Transports({"acme.example": [own(kept)]})) as it,
        ):
            await act(it)

    asyncio.run(doing())


@pytest.fixture
def three(database: str) -> str:
    """1 is accepted, 2 is undeliverable, 3 waits."""

    async def accept(it: Office) -> None:
        await it.leave(1)
        await it.round()

    async def refuse_and_wait(it: Office) -> None:
        await it.leave(2)
        await it.round()
        await it.later(minutes=2)
        await it.round()
        await it.leave(3)
        await it.round()

    with_office(database, accept)
    with_office(database, refuse_and_wait, REFUSED)
    return database


def test_without_messages_the_list_is_empty(database: str) -> None:
    assert listed(database) == []
    assert told(database).output == ""


def test_each_message_is_told_with_its_state(three: str) -> None:
    states = {one["message_id"]: one["state"] for one in listed(three)}
    assert states == {message_id(1): "accepted", message_id(2): "undeliverable", message_id(3): "waiting"}
    lines = told(three).output.splitlines()
    assert len(lines) == 3
    assert "undeliverable (refused)  office@acme.example refused" in lines[1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--in-state", "undeliverable"], [2]),
        (["--owner", "acme"], [1, 2, 3]),
        (["--owner", "somebody"], []),
        (["--since", "2099-01-01"], []),
        (["--since", "2026-11-24T10:00Z"], [1, 2, 3]),
    ],
)
def test_what_is_asked_for_is_found(three: str, words: list[str], found: list[int]) -> None:
    assert [one["message_id"] for one in listed(three, *words)] == [message_id(n) for n in found]


def test_one_is_told_with_every_attempt_the_servers_answers_and_tls(three: str) -> None:
    shown = told(three, "show", message_id(2))
    assert shown.exit_code == 0
    assert shown.output.count("refused  localhost  TLS none  550 5.1.1 unknown") == 2
    assert "kept until" in shown.output
    (one,) = json.loads(told(three, "show", message_id(2), "--format", "json").output)["recipients"]
    assert [attempt["reply"] for attempt in one["attempts"]] == ["550 5.1.1 unknown"] * 2


def test_one_that_does_not_exist_is_told_so(three: str) -> None:
    for verb in ("show", "retry", "release"):
        shown = told(three, verb, message_id(99))
        assert (shown.exit_code, "there is no message" in shown.output) == (1, True)


def test_what_nobody_took_can_be_sent_again_from_the_beginning(three: str) -> None:
    assert told(three, "retry", message_id(2), message_id(3)).exit_code == 0

    async def sent(it: Office) -> None:
        assert await it.keeping(message_id(2)) is None, "its end is not set any more"
        assert await it.round() == 2
        assert await it.state(message_id(2)) == "accepted"
        assert await it.results(message_id(2)) == ["refused", "refused", "accepted"]

    with_office(three, sent)


def test_what_has_been_accepted_cannot_be_sent_again(three: str) -> None:
    shown = told(three, "retry", message_id(1))
    assert (shown.exit_code, "it is accepted" in shown.output) == (1, True)


def test_what_nobody_took_can_be_given_up(three: str) -> None:
    assert told(three, "release", message_id(2)).exit_code == 0

    async def ended(it: Office) -> None:
        assert (await it.keeping(message_id(2)) or timedelta(1)) <= timedelta(0)
        reason = "SELECT reason FROM audio WHERE audio_id = $1"
        assert await it.pool.fetchval(reason, message_id(2)) == "operator"

    with_office(three, ended)


@pytest.mark.parametrize("n", [1, 3])
def test_nothing_else_can_be_given_up(three: str, n: int) -> None:
    shown = told(three, "release", message_id(n))
    assert (shown.exit_code, "only an undeliverable message" in shown.output) == (1, True)


def test_a_missed_call_nobody_took_is_gone_when_given_up(database: str) -> None:
    missed = message_id(1, "missed")

    async def refuse(it: Office) -> None:
        await it.leave(1, kind="missed")
        await it.round()
        await it.later(minutes=2)
        await it.round()

    with_office(database, refuse, REFUSED)
    assert told(database, "release", missed).exit_code == 0
    assert listed(database)[0]["state"] == "destroyed"
