"""The lease of a caller in our application: TIMEOUT(absolute), which the engine renews before each step.

When it runs out the dialplan ends the call if ENGINE_STATE is "talking"; otherwise it takes the caller to the
number's fallback ([lease] of extensions.conf). So no caller waits for an engine that is gone.
"""

from engine.ari.batch import Batch
from engine.ari.exchange import Exchange, best_effort
from engine.ari.operations import Reported, Variables

# The lease lasts so much longer than the step itself.
GRACE_SECONDS = 30


async def lease(exchange: Exchange, channel_id: str, seconds: float) -> None:
    """Renew the lease for a step of so many seconds in which the engine sends no command."""
    await best_effort((await leased(exchange, channel_id, seconds)).carry_out())


async def leased(
    exchange: Exchange, channel_id: str, seconds: float, state: str = "routing", **variables: str
) -> Batch:
    """Return a batch that renews the lease for a step of so many seconds, and sets `variables`.

    The step adds its first command. Sent apart, a long lease would leave the caller in silence if the engine
    died before that command: until the next engine, instead of the fallback.
    """
    values: Variables = {
        "ENGINE_STATE": Reported(state),
        "TIMEOUT(absolute)": str(int(seconds + GRACE_SECONDS)),
        **variables,
    }
    await exchange.waiting.taken(channel_id)
    batch = exchange.client.batch()
    await batch.channels.set_channel_vars(channel_id, values)
    return batch
