"""What an owner and an operator have of recordings, in a whole run whose sounds lie in a bucket."""

import asyncio
import json
import os
import signal
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from cli.__main__ import main
from devkit.demo_routing import write_routing
from storage import recordings
from storage.calls import store
from tests.live.test_dev import Dev, eventually, running_dev
from tests.store.calls import revised
from tests.store.conversations import CALLER, DESTINATION, heard, level_at, record_talk, recorded_call
from tests.store.conversations import recording_id as named

HELD, SHORTENED, UNWANTED = 1, 2, 3
OWNER = "demo"


@pytest.fixture(scope="module")
def routing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "routing"
    write_routing(folder, datetime.now(UTC).date())
    return folder


@pytest.fixture(scope="module")
def dev(routing: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Three calls were recorded a while ago; they have been stored in the bucket."""
    with running_dev(routing, tmp_path_factory.mktemp("state"), "--objects", "s3") as it:
        settings = tomllib.loads((it.state / "callengine.toml").read_text())
        for n in (HELD, SHORTENED, UNWANTED):
            record_talk(Path(settings["asterisk"]["recordings"]), n)
        asyncio.run(drain(it, HELD, SHORTENED, UNWANTED))
        assert eventually(lambda: states(it) == {"stored"})
        yield it


async def drain(dev: Dev, *numbers: int) -> None:
    """Have these calls in the database, an hour ago, as if their node had told them."""
    con = await asyncpg.connect(dev.endpoints()["database"])
    for n in numbers:
        told = [revised(recorded_call(n, form="flac", days=36_500, node="dev", owner=OWNER), n)]
        async with con.transaction():
            await store(con, told)
            await recordings.store(con, told)
            await con.execute("UPDATE audio SET began = now() - interval '2 hours', ended = NULL")
            await con.execute("UPDATE recording SET ended = now() - interval '2 hours'")
    await con.close()


def callengine(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def said(dev: Dev, *arguments: str, code: int = 0) -> str:
    result = callengine("recordings", *arguments, "--state", str(dev.state))
    assert result.exit_code == code, result.output
    return result.output


def listed(dev: Dev, *more: str) -> dict[str, dict[str, Any]]:
    told = json.loads(said(dev, "list", "--format", "json", *more))
    return {it["recording_id"]: it for it in told}


def states(dev: Dev) -> set[str]:
    return {it["state"] for it in listed(dev).values()}


def is_state(dev: Dev, recording: str, state: str) -> Callable[[], bool]:
    return lambda: listed(dev, "--all")[recording]["state"] == state


def is_gone(dev: Dev, n: int) -> Callable[[], bool]:
    return is_state(dev, named(n), "destroyed")


def test_sounds_lie_in_a_bucket_that_comes_back(dev: Dev, tmp_path: Path) -> None:
    assert dev.endpoints()["objects"].startswith("http://127.0.0.1:")
    before = dev.pids()["seaweed"]
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: dev.pids()["seaweed"] != before)
    said(dev, "fetch", named(HELD), "--output", str(tmp_path / "fetched.flac"))
    left, right = heard((tmp_path / "fetched.flac").read_bytes()).T
    assert level_at(left, CALLER) - level_at(left, DESTINATION) > 60
    assert level_at(right, DESTINATION) - level_at(right, CALLER) > 60
    assert not list((dev.state / "asterisk").rglob("*-rec1*"))


def test_what_is_fetched_is_for_our_eyes_only_and_replaces_nothing(dev: Dev, tmp_path: Path) -> None:
    file = tmp_path / "it.flac"
    said(dev, "fetch", named(HELD), "--output", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert "File exists" in said(dev, "fetch", named(HELD), "--output", str(file), code=1)


def test_a_list_has_the_evidence_of_each(dev: Dev) -> None:
    it = listed(dev, "--owner", OWNER, "--number", "+3270012345")[named(HELD)]
    assert (it["format"], it["seconds"], it["one_way"], it["hold"]) == ("flac", 2.0, None, None)
    assert it["evidence"]["notice"]["announcement"] == "recording-announcement"
    assert listed(dev, "--owner", "nobody") == {}
    assert said(dev, "list").splitlines()[0].startswith("recording_id,call_id,number,owner,began,")


def test_an_unwanted_one_is_destroyed_within_seconds(dev: Dev) -> None:
    assert "will be destroyed" in said(dev, "destroy", named(UNWANTED))
    assert eventually(is_gone(dev, UNWANTED))
    assert "is destroyed" in said(dev, "fetch", named(UNWANTED), code=1)
    assert "is destroyed" in said(dev, "destroy", named(UNWANTED), code=1)


HOLD = ("--reason", "a dispute", "--reference", "court 12/2026", "--by", "A. Peeters")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--review", "2999-01-01"], "two persons"),
        (["--by", "a. peeters", "--review", "2999-01-01"], "two persons"),
        (["--by", "B. Janssens", "--review", "2001-01-01"], "not in the future"),
        (["--by", "B. Janssens", "--review", "soon"], "not a day"),
        (["--by", "B. Janssens"], "--review"),
    ],
)
def test_a_hold_needs_two_names_and_a_day_to_come(dev: Dev, more: list[str], told: str) -> None:
    assert told in said(dev, "hold", named(HELD), *HOLD, *more, code=2)


def test_a_shortened_retention_acts_at_once_but_not_on_what_is_held(dev: Dev, routing: Path) -> None:
    said(dev, "hold", named(HELD), *HOLD, "--by", "B. Janssens", "--review", "2999-01-01")
    assert "under a legal hold, court 12/2026" in said(dev, "destroy", named(HELD), code=1)
    owner = routing / "owners" / f"{OWNER}.yaml"
    owner.write_text(owner.read_text() + "keep_recordings: 1 hour\n")
    assert eventually(is_gone(dev, SHORTENED))
    assert listed(dev)[named(HELD)]["state"] == "stored"
    said(dev, "release", named(HELD), "--by", "C. Claes")
    assert eventually(is_gone(dev, HELD))
    audited = callengine("audit", "--read", "--settings", str(dev.state / "callengine.toml"))
    assert audited.output.startswith("no findings"), audited.output
