"""What an engine or a worker says of itself by HTTP; `health` is its address."""

from urllib.error import HTTPError
from urllib.request import urlopen


def readiness(health: str) -> int:
    """The status of /ready."""
    try:
        with urlopen(f"{health}/ready", timeout=5) as reply:  # noqa: S310 - our own http address
            return int(reply.status)
    except HTTPError as refused:
        return refused.code


def metric(health: str, name: str) -> float:
    """The one metric of that name, as `drain_backlog_bytes`."""
    with urlopen(f"{health}/metrics", timeout=5) as reply:  # noqa: S310 - our own http address
        lines = reply.read().decode().splitlines()
    (line,) = (line for line in lines if line.startswith(f"callengine_{name} "))
    return float(line.rpartition(" ")[2])
