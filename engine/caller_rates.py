"""How often each caller has come to a step lately. In the memory of this engine; no number of a caller is."""

import hmac
import secrets
from collections import OrderedDict

from dialplan.step import StepPath
from journal.state import CallState

MOST_CALLERS = 100_000


class CallerRates:
    """The instants (monotonic, in seconds) at which callers came, by a keyed hash; the oldest are dropped."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._came: OrderedDict[bytes, list[float]] = OrderedDict()

    def may_call(self, state: CallState, path: StepPath, most: int, seconds: float, now: float) -> bool:
        """Count a call of this caller. Return False, and do not count it, if there are `most` already."""
        name = self._name(state, path)
        came = [at for at in self._came.pop(name, ()) if now - at < seconds]
        is_within = len(came) < most
        self._came[name] = [*came, now] if is_within else came
        if len(self._came) > MOST_CALLERS:
            self._came.popitem(last=False)
        return is_within

    def _name(self, state: CallState, path: StepPath) -> bytes:
        return hmac.digest(self._key, f"{state.number} {path} {state.caller}".encode(), "sha256")
