"""Wrong PINs, counted by caller: strangers lock only themselves, and yet nobody can guess on for ever.

- By caller: after ten wrong PINs in a row this caller is locked for an hour, then for two, four, and so on up
  to a day, until a right one. Callers without a number count as one.
- All callers together who never had the PIN right: after a hundred wrong ones within a day, all of them are
  locked until fewer are within a day. Numbers can be forged, so by caller alone there is no bound. Callers
  who had it right are not locked by that: the owner's telephone stays usable.

What that gives an attacker is in docs/decisions/021-switches.md: 100 tries a day, of a million PINs.
"""

import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

MOST_WRONG = 10  # in a row, of one caller
LOCKED_SECONDS, LONGEST_LOCKED_SECONDS = 3600.0, 86_400.0
MOST_OF_STRANGERS = 100  # of one number or owner, within a day
DAY_SECONDS = 86_400.0
MOST_CALLERS = 10_000  # remembered; the least recent are forgotten


@dataclass(slots=True)
class _Caller:
    wrong: int = 0  # in a row
    locked_seconds: float = 0.0  # how long the last lock was
    locked_until: float = 0.0
    knows: str = ""  # the hash of the PIN that the caller had right


class PinTries:
    """Times are monotonic, in seconds. All of it is in the memory of this engine, without any number."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._callers: OrderedDict[bytes, _Caller] = OrderedDict()
        self._strangers: dict[str, deque[float]] = {}

    def why_locked(self, target: str, caller: str, pin_hash: str, now: float) -> str:
        """Return why no PIN of this caller is accepted now, or "". `pin_hash`: of the right PIN."""
        known = self._callers.get(self._name(target, caller)) or _Caller()
        if now < known.locked_until:
            return "caller locked"
        if known.knows != pin_hash and len(self._recent(target, now)) >= MOST_OF_STRANGERS:
            return "strangers locked"
        return ""

    def right(self, target: str, caller: str, pin_hash: str) -> None:
        """The caller had the PIN right. Callers without a number never become known."""
        self._remember(target, caller, _Caller(knows=pin_hash if caller else ""))

    def wrong(self, target: str, caller: str, pin_hash: str, now: float) -> None:
        """The caller had the PIN wrong."""
        one = self._callers.get(self._name(target, caller)) or _Caller()
        self._remember(target, caller, one)
        if one.knows != pin_hash:
            self._recent(target, now).append(now)
        one.wrong += 1
        if one.wrong >= MOST_WRONG:
            one.wrong = 0
            one.locked_seconds = min(max(one.locked_seconds * 2, LOCKED_SECONDS), LONGEST_LOCKED_SECONDS)
            one.locked_until = now + one.locked_seconds

    def _recent(self, target: str, now: float) -> deque[float]:
        """When strangers had it wrong, within a day."""
        times = self._strangers.setdefault(target, deque())
        while times and times[0] <= now - DAY_SECONDS:
            times.popleft()
        return times

    def _remember(self, target: str, caller: str, one: _Caller) -> None:
        name = self._name(target, caller)
        self._callers[name] = one
        self._callers.move_to_end(name)
        if len(self._callers) > MOST_CALLERS:
            self._callers.popitem(last=False)

    def _name(self, target: str, caller: str) -> bytes:
        return hmac.digest(self._key, f"{target} {caller}".encode(), "sha256")
