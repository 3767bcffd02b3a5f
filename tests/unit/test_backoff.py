"""When a mail is tried again, what TLS it needs, and what is to become of a message: decisions, no I/O."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.answer import Accepted, Answer, Deferred, Refused
from mailer.backoff import given_up, next_wait
from mailer.outbox import Claim, Unbuilt, result_of, settles
from mailer.settling import Fate, Recipient, fate
from mailer.tls import Policy, policy_for

WAITS = [1, 5, 15, 30, 60, 120, 240, 240, 240]


def test_waits_grow_to_four_hours() -> None:
    waits = [next_wait(attempt, 0) for attempt in range(1, 10)]
    assert waits == [timedelta(minutes=minutes) for minutes in WAITS]


def test_five_days_are_about_forty_attempts() -> None:
    gone, attempts = timedelta(), 0
    while not given_up(gone):
        attempts += 1
        gone += next_wait(attempts, 0.5)
    assert 30 <= attempts <= 40


@given(attempt=st.integers(1, 100), chance=st.floats(0, 1))
def test_chance_makes_it_longer_by_a_fifth_at_most(attempt: int, chance: float) -> None:
    exact = next_wait(attempt, 0)
    assert exact <= next_wait(attempt, chance) <= exact * 1.2 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("require", "seen", "failures", "minutes", "policy"),
    [
        (False, False, 0, 0, Policy.OPPORTUNISTIC),
        (False, False, 2, 60, Policy.OPPORTUNISTIC),
        (False, False, 3, 29, Policy.OPPORTUNISTIC),
        (False, False, 3, 30, Policy.PLAIN),
        (False, True, 99, 9999, Policy.ENCRYPTED),
        (True, False, 99, 9999, Policy.VERIFIED),
        (True, True, 0, 0, Policy.VERIFIED),
    ],
)
def test_plain_is_the_last_resort_and_only_where_tls_was_never_spoken(
    require: bool, seen: bool, failures: int, minutes: int, policy: Policy
) -> None:
    since = timedelta(minutes=minutes)
    assert policy_for(require=require, seen=seen, failures=failures, since=since) is policy


CLAIM = Claim("id-vm1", "office@acme.example", "acme.example", 1, 0, 0, timedelta(0), tls_seen=False, row={})
AGED = replace(CLAIM, age=timedelta(days=5))
ONCE_REFUSED = replace(CLAIM, refusals=1)


@pytest.mark.parametrize(
    ("claim", "answer", "result", "settled"),
    [
        (CLAIM, Accepted("mx", "250", "none"), "accepted", False),
        (CLAIM, Deferred("mx", "451", "none"), "deferred", False),
        (AGED, Deferred("mx", "451", "none"), "deferred", True),
        (CLAIM, Refused("mx", "550", "none"), "refused", False),
        (ONCE_REFUSED, Refused("mx", "550", "none"), "refused", True),
        (CLAIM, Refused("mx", "552", "none", sure=True), "refused", True),
        (CLAIM, Unbuilt("", "no", "none"), "unbuildable", True),
    ],
)
def test_what_an_answer_settles(claim: Claim, answer: Answer, result: str, settled: bool) -> None:
    assert (result_of(answer), settles(claim, answer)) == (result, settled)


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def one(how: str, address: str = "office@acme.example") -> Recipient:
    return Recipient(
        address,
        accepted_at=NOON if how in ("accepted", "final", "bounced") else None,
        final=how == "final",
        refused=how == "refused",
        bounced=how == "bounced",
    )


@pytest.mark.parametrize(
    ("hows", "second", "expected"),
    [
        (["waiting"], None, Fate.WAITING),
        (["accepted", "waiting"], None, Fate.WAITING),
        (["refused", "waiting"], "b@acme.example", Fate.WAITING),
        (["accepted"], None, Fate.ACCEPTED),
        (["final"], None, Fate.FINAL),
        (["final", "accepted"], None, Fate.ACCEPTED),
        (["final", "refused"], None, Fate.FINAL),
        (["final", "bounced"], "b@acme.example", Fate.FINAL),
        (["refused"], None, Fate.UNDELIVERABLE),
        (["bounced", "refused"], None, Fate.UNDELIVERABLE),
        (["refused"], "b@acme.example", Fate.SECOND),
        (["bounced"], "b@acme.example", Fate.SECOND),
        (["refused"], "office0@acme.example", Fate.UNDELIVERABLE),
        ([], None, Fate.UNDELIVERABLE),
    ],
)
def test_what_becomes_of_a_message(hows: list[str], second: str | None, expected: Fate) -> None:
    recipients = [one(how, f"office{n}@acme.example") for n, how in enumerate(hows)]
    assert fate(recipients, second) is expected


HOWS = st.sampled_from(["waiting", "accepted", "final", "refused", "bounced"])


@given(st.lists(HOWS, min_size=1, max_size=4))
def test_a_message_that_somebody_has_is_never_undeliverable_nor_one_that_waits_settled(
    hows: list[str],
) -> None:
    decided = fate([one(how) for how in hows], None)
    assert (decided is Fate.WAITING) == ("waiting" in hows)
    if {"accepted", "final"} & set(hows):
        assert decided is not Fate.UNDELIVERABLE
