"""How often a token may ask: a number of requests a minute, in memory of this process."""

from collections.abc import Callable

REQUESTS = 600
WINDOW_SECONDS = 60.0
LOGGED_SECONDS = 3600.0
MOST = 10_000  # keys that are remembered; then all are forgotten


class Limit:
    """`now`: monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._windows: dict[int, tuple[float, int]] = {}
        self._logged: dict[tuple[int, str], float] = {}

    def wait(self, token_id: int) -> int:
        """Count a request; the seconds to wait before the next one counts, 0: this one does."""
        now = self._now()
        began, count = self._windows.get(token_id, (now, 0))
        if now - began >= WINDOW_SECONDS:
            began, count = now, 0
        if count >= REQUESTS:
            return int(began + WINDOW_SECONDS - now) + 1
        if len(self._windows) >= MOST:
            self._windows.clear()
        self._windows[token_id] = (began, count + 1)
        return 0

    def is_first(self, token_id: int, what: str) -> bool:
        """Whether this is the first of its kind for an hour."""
        now, key = self._now(), (token_id, what)
        if now - self._logged.get(key, now - LOGGED_SECONDS) < LOGGED_SECONDS:
            return False
        if len(self._logged) >= MOST:
            self._logged.clear()
        self._logged[key] = now
        return True
