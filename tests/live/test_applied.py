"""A routing version is applied while a call talks: the next call follows it, the talk goes on, and back."""

import asyncio
import json
import shutil
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from devkit import demo_routing as numbers
from devkit.carrier import carrier
from devkit.phones import phones, shown
from devkit.stack import Wish, stack
from tests.tiers import heavy


async def callengine(*arguments: str) -> str:
    """The output of a command, which must succeed."""
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await command.communicate()
    assert command.returncode == 0, output
    return output.decode()


@heavy
async def test_the_next_call_follows_the_version_that_was_applied(tmp_path: Path) -> None:
    edited, link, state = tmp_path / "edited", tmp_path / "routing", tmp_path / "state"
    numbers.write_routing(edited, datetime.now(UTC).date())
    # The engine must not read `edited` itself: it would put the edit into force before it is applied.
    link.symlink_to(shutil.copytree(edited, tmp_path / "first"))
    async with AsyncExitStack() as opened:
        telephones = await opened.enter_async_context(phones())
        network = await opened.enter_async_context(carrier(telephones, numbers.TELEPHONES))
        run = await opened.enter_async_context(stack(Wish(link, state, network.address), print))

        def version() -> str:
            with urlopen(run.metrics.replace("/metrics", "/ready"), timeout=5) as reply:  # noqa: S310 - ours
                return str(json.load(reply)["routing"]["version"])

        first = await asyncio.to_thread(version)
        talking = await telephones.dial(numbers.OPEN, run.sip, shown("+3225551234"), says=(1000,))
        office = await network.handset_of(await network.arrival(numbers.OFFICE, 1))
        await talking.wait_answered()
        file = edited / "numbers" / f"n{numbers.OPEN.removeprefix('+')}.yaml"
        file.write_text(file.read_text().replace(numbers.OFFICE, numbers.COLLEAGUE))
        told = await callengine("apply", str(edited), "--state", str(state), "--reason", "the office moved")
        assert f"    route.ring: {numbers.OFFICE} -> {numbers.COLLEAGUE}\n" in told
        assert await asyncio.to_thread(version) != first
        second = await telephones.dial(numbers.OPEN, run.sip, shown("+3225551235"), says=(1000,))
        await network.arrival(numbers.COLLEAGUE, 1)
        await second.wait_answered()
        await asyncio.gather(office.hears(1000), talking.hears(600), second.hears(800))
        await callengine("rollback", first[:12], "--state", str(state))
        assert await asyncio.to_thread(version) == first
        listed = await callengine("versions", "--state", str(state))
        assert listed.startswith(f"* {first[:12]}")
        assert ": the office moved\n" in listed
        await asyncio.gather(talking.hang_up(), second.hang_up())
