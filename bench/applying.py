"""python -m bench.applying: how long `callengine apply` takes, and what it costs an engine that watches.

No Asterisk: the routing store of an engine runs in this process, and a timer measures how long its event loop
is blocked. Prints a line for each version, of which each has one changed number.
"""

import asyncio
import os
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import uvloop

from bench.processes import resident_bytes
from bench.waiting import until
from config.policy import Policy
from config.prompts import VOICES
from config.versions import Versions
from engine.routing_store import RoutingStore
from process.loop import limit_pauses

TICK_SECONDS = 0.001
OWNERS = 100
NUMBER = """\
number: +3278{n:06}
owner: owner{owner}
timezone: Europe/Brussels
holidays: BE
fallback: +3221112233
route:
  - announce: welcome
  - hours:
      open: mon-fri 09:00-12:30 13:30-17:30
      closed:
        - ring: +3221112233
  - ring:
      to: [+3247{to:07}, +3221112233]
      seconds: 20
      busy:
        - hangup: busy
  - announce: welcome
expect:
  - {{at: 2026-11-24 10:00, rings: [+3247{to:07}, +3221112233]}}
"""


class Gap:
    """The longest time, in seconds, for which the event loop did not run; `cpu`: the CPU time spent in it."""

    def __init__(self) -> None:
        self.worst = self.cpu = 0.0

    async def watch(self) -> None:
        while True:
            began, spent = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK_SECONDS)
            self.worst = max(self.worst, time.perf_counter() - began - TICK_SECONDS)
            self.cpu = max(self.cpu, time.process_time() - spent)

    def reset(self) -> None:
        self.worst = self.cpu = 0.0


def write_folder(folder: Path, numbers: int) -> None:
    """A routing folder with so many numbers, of four steps and one `expect` each."""
    for part in ("owners", "numbers", "prompts"):
        (folder / part).mkdir(parents=True)
    for owner in range(OWNERS):
        (folder / "owners" / f"owner{owner}.yaml").write_text(f"name: Owner {owner}\nlanguage: nl\n")
    (folder / "prompts" / "welcome.wav").write_bytes((VOICES / "beep.wav").read_bytes())
    for n in range(numbers):
        change(folder, n, n)


def change(folder: Path, n: int, to: int) -> None:
    """Let number `n` ring another destination."""
    text = NUMBER.format(n=n, owner=n % OWNERS, to=1_000_000 + to)
    (folder / "numbers" / f"n{n}.yaml").write_text(text)


@asynccontextmanager
async def watching(store: RoutingStore, gap: Gap) -> AsyncIterator[None]:
    async def renew() -> None:
        """No Asterisk needs anything."""

    tasks = [asyncio.create_task(store.watch(renew, lambda: ())), asyncio.create_task(gap.watch())]
    yield
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a run. `edited`: the operator's; `routing`: the link that the engine follows."""

    root: Path

    @property
    def edited(self) -> Path:
        return self.root / "edited"

    @property
    def routing(self) -> Path:
        return self.root / "routing"

    @property
    def settings(self) -> Path:
        return self.root / "callengine.toml"

    @property
    def versions(self) -> Versions:
        return Versions(self.root / "state" / "routing-versions")


async def applied(places: Places) -> tuple[float, float, str]:
    """Apply the edited folder: seconds, CPU seconds of the command, and its last line."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", "apply", str(places.edited), "--settings", str(places.settings)),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(places.root / "cache")},
    )
    output, _ = await command.communicate()
    took = time.perf_counter() - began
    if command.returncode:
        raise click.ClickException(output.decode())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, output.decode().splitlines()[-1]


async def measure(root: Path, numbers: int, versions: int) -> None:
    places = Places(root)
    write_folder(places.edited, numbers)
    places.settings.write_text(
        f'node = "a"\nrouting = "{places.routing}"\nstate = "{root}/state"\n[http]\nengine_port = 1\n'
    )
    places.routing.symlink_to(places.edited)
    store = RoutingStore(places.routing, places.versions, root / "prompts", Policy(), timedelta(days=90))
    began = time.perf_counter()
    await store.open()
    click.echo(f"{numbers} numbers; the engine's first reading: {time.perf_counter() - began:.1f} s")
    limit_pauses()
    gap = Gap()
    async with watching(store, gap):
        await asyncio.sleep(2)
        for n in range(versions):
            await one_version(places, store, gap, n)


async def one_version(places: Places, store: RoutingStore, gap: Gap, n: int) -> None:
    before = store.in_force.digest
    change(places.edited, n, 500_000 + n)
    await asyncio.sleep(2.5)
    gap.reset()
    took, cpu, said = await applied(places)
    await until(lambda: store.in_force.digest != before)
    await asyncio.sleep(0.5)
    megabytes = resident_bytes(os.getpid()) / 1e6
    click.echo(
        f"apply: {took:.2f} s, CPU of it and of the engine's children {cpu:.2f} s; longest gap {
            1000 * gap.worst:.0f} ms "
        f"(CPU {1000 * gap.cpu:.0f} ms); {megabytes:.0f} MB; {said}"
    )


@click.command()
@click.option("--numbers", default=10_000, show_default=True, help="Numbers in the routing folder.")
@click.option(
    "--versions", default=4, show_default=True, help="Versions that are applied, one after the other."
)
def main(*, numbers: int, versions: int) -> None:
    """Apply versions of a large routing folder in which one number has changed."""
    with TemporaryDirectory(prefix="bench-applying-") as name:
        uvloop.run(measure(Path(name), numbers, versions))


if __name__ == "__main__":
    main()
