"""Run the checks at the same time, each with its time limit; a check that raises is a finding."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cli.doctor.finding import Finding
from cli.doctor.scene import Scene

SECONDS = 10.0

type Look = Callable[[Scene], Awaitable[Iterable[Finding]]]


@dataclass(frozen=True, slots=True)
class Check:
    """`installed`: only where the packages are installed, not for a `callengine dev`."""

    name: str
    look: Look
    what: str
    installed: bool = False
    seconds: float = SECONDS


async def examine(scene: Scene, checks: Sequence[Check]) -> list[Finding]:
    """All findings, in the order of the checks. Never raises an error of a check."""
    results = await asyncio.gather(*(examine_one(scene, check) for check in checks))
    return [finding for findings in results for finding in findings]


async def examine_one(scene: Scene, check: Check) -> list[Finding]:
    """The findings of one check."""
    try:
        async with asyncio.timeout(check.seconds):
            findings = list(await check.look(scene))
    except TimeoutError:
        what = f"no answer within {check.seconds:g} s to: {check.what}"
        findings = [Finding(what, "look at the network, and whether that service hangs")]
    except Exception as error:  # noqa: BLE001 - what one check did not expect must not hide the others
        text = str(error) or "no further text"
        findings = [Finding(f"{check.what}: {type(error).__name__}: {text}", "correct what it names")]
    return [replace(finding, check=check.name) for finding in findings]
