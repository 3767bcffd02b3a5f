"""When a mail is tried again: often at first, then every four hours, for five days. Pure."""

from datetime import timedelta

STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240))
GIVE_UP = timedelta(days=5)  # as Postfix and everybody else
JITTER = 0.2
# An address that was refused is asked for once more: servers have bad moments.
REFUSALS = 2


def next_wait(attempts: int, chance: float) -> timedelta:
    """How long to wait after the `attempts`-th attempt; `chance` in 0..1 keeps a thousand from coming back
    at once, and makes it longer only."""
    return STEPS[min(attempts, len(STEPS)) - 1] * (1 + JITTER * chance)


def given_up(age: timedelta) -> bool:
    """Is a mail whose first attempt was so long ago not to be tried again?"""
    return age >= GIVE_UP
