"""Many mails by many workers: each is sent once. How many a second: `make bench`."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mailer.post import Smarthost
from mailer.smtp import Server
from tests.store.posting import TERMS, office

MAILS = 500


@contextmanager
def fast_server() -> Iterator[subprocess.Popen[str]]:
    """In a process of its own, as a mail server is."""
    command = [sys.executable, "-m", "bench.fast_smtp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.kill()


def line(server: subprocess.Popen[str]) -> str:
    assert server.stdout
    return server.stdout.readline()


async def test_eight_workers_send_five_hundred_mails_once_each(database: str) -> None:
    done, results = asyncio.Event(), list[str]()

    def told(result: str) -> None:
        results.append(result)
        if len(results) == MAILS:
            done.set()

    with fast_server() as server:
        transport = Smarthost(Server("127.0.0.1", int(await asyncio.to_thread(line, server))))
        async with office(database, transport, replace(TERMS, smarthost="127.0.0.1"), told=told) as it:
            for n in range(MAILS):
                await it.leave(n, kind="missed")
            sending = asyncio.create_task(it.outbox_worker.run(it.pool))
            try:
                await asyncio.wait_for(done.wait(), 60)
            finally:
                sending.cancel()
                await asyncio.wait({sending})
        server.terminate()
        taken = json.loads(await asyncio.to_thread(line, server))
    assert (len(taken), set(taken.values())) == (MAILS, {1})
    assert set(results) == {"accepted"}
