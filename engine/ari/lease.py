"""The lease of a caller in our application: TIMEOUT(absolute), which the engine renews before each step.

When it runs out the dialplan ends the call if ENGINE_STATE is "talking"; otherwise it takes the caller to the
number's fallback ([lease] of extensions.conf). So no caller waits for an engine that is gone.
"""

from engine.ari.exchange import Exchange, best_effort
from engine.ari.operations import Reported, Variables

# The lease lasts so much longer than the step itself.
GRACE_SECONDS = 30


async def lease(
    exchange: Exchange, channel_id: str, seconds: float, state: str = "routing", **variables: str
) -> None:
    """Renew the lease for a step of so many seconds, and set `variables` of the channel, in one command."""
    values: Variables = {
        "ENGINE_STATE": Reported(state),
        "TIMEOUT(absolute)": str(int(seconds + GRACE_SECONDS)),
        **variables,
    }
    await exchange.waiting.taken(channel_id)
    await best_effort(exchange.client.channels.set_channel_vars(channel_id, values))
