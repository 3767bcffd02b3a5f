"""When to retry a mail: often at first, then every four hours, for five days. Pure."""

from datetime import timedelta

STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240))
GIVE_UP = timedelta(days=5)  # as Postfix's default
JITTER = 0.2
# A refused recipient is tried once more: a refusal may be a mistake of the moment.
REFUSALS = 2


def next_wait(attempts: int, chance: float) -> timedelta:
    """How long to wait after the `attempts`-th attempt. `chance` in 0..1 lengthens the wait, so that a
    thousand mails are not retried at once."""
    return STEPS[min(attempts, len(STEPS)) - 1] * (1 + JITTER * chance)


def given_up(age: timedelta) -> bool:
    """Whether to stop retrying a mail whose first attempt was this long ago."""
    return age >= GIVE_UP
