"""Who runs this process: the user, and the login that sudo and su do not change."""

import os
import pwd
from pathlib import Path

NOBODY_LOGGED_IN = 2**32 - 1  # the kernel's login uid of a process that no login has started
LOGIN = Path("/proc/self/loginuid")


def operator() -> str:
    """Who runs this command: `alice`, or `alice as root`: sudo and su do not change the login user."""
    user, logged_in = os.getuid(), login()
    return name(user) if logged_in in (None, user) else f"{name(logged_in)} as {name(user)}"


def person(operator: str) -> str:
    """Who logged in: `alice` of `alice as root`. Two persons have two logins."""
    return operator.partition(" as ")[0]


def login() -> int | None:
    """The user id that logged in to this session, from the kernel; None when no login started it."""
    try:
        user = int(LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if user == NOBODY_LOGGED_IN else user


def name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"
