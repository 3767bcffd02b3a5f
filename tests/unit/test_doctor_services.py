"""The doctor on the services around: database, keys, Asterisk, network, mail."""

import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from cli.doctor import mail, network, stored, telephony
from cli.doctor.scene import Reply, Scene
from config.load import load
from engine.fallback import NAME, render
from tests.unit.examined import answers, records, systemd, well, whats


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return well(tmp_path, monkeypatch)


class Database:
    """A connection that answers by the beginning of each query; an exception is raised."""

    def __init__(self, **replies: Any) -> None:
        self.replies = {"SELECT 1": 1, "SELECT has_table": True, "SELECT current_user": "worker"} | replies

    async def fetchval(self, query: str, *_: object) -> Any:
        value = next((value for start, value in self.replies.items() if query.startswith(start)), None)
        if isinstance(value, Exception):
            raise value
        return value

    async def fetch(self, _query: str, *_: object) -> list[Any]:
        raise asyncpg.UndefinedTableError("no table")


def with_database(scene: Scene, database: Database) -> Scene:
    @asynccontextmanager
    async def connect(_url: str) -> AsyncIterator[asyncpg.Connection]:
        yield cast("asyncpg.Connection", database)

    return replace(scene, database=connect)


async def test_a_database_that_is_away_or_has_no_schema_is_found(scene: Scene) -> None:
    assert await stored.database(with_database(scene, Database())) == []
    away = Database(**{"SELECT 1": ConnectionRefusedError("away")})
    assert "away" in whats(await stored.database(with_database(scene, away)))[0]
    assert "no schema" in whats(await stored.schema(with_database(scene, Database())))[0]


async def test_a_role_with_too_few_or_too_many_rights_is_found(scene: Scene) -> None:
    assert await stored.roles(with_database(scene, Database())) == []
    superuser = Database(**{"SELECT rolsuper": True})
    assert "superuser" in whats(await stored.roles(with_database(scene, superuser)))[0]
    owner = Database(**{"SELECT pg_has_role": True})
    assert "owns the schema" in whats(await stored.roles(with_database(scene, owner)))[0]
    poor = Database(**{"SELECT has_table": False})
    assert "SELECT on public.access" in whats(await stored.roles(with_database(scene, poor)))[0]


async def test_a_missing_master_key_and_a_store_that_refuses_are_found(scene: Scene) -> None:
    assert "not set" in whats(await stored.keys(scene))[0]
    assert await stored.store(scene) == []
    (scene.settings.state / "objects").rmdir()
    (scene.settings.state / "objects").write_text("not a folder")
    assert await stored.store(scene) != []


async def test_the_fallbacks_of_asterisk_are_those_of_the_routing(scene: Scene) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    fallbacks = load(scene.settings.routing, None).fallbacks
    assert fallbacks
    (etc / NAME).write_text(render(fallbacks, "FB_3270099999=+3221112233"))
    assert await telephony.fallback(scene) == []
    (etc / NAME).write_text(render({"3270099999": "+3221112233"}, ""))
    (what,) = whats(await telephony.fallback(scene))
    assert what.endswith(", ".join(sorted([*fallbacks, "3270099999"])[:5]))


async def test_a_load_limit_that_refuses_calls_is_found(scene: Scene) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    (etc / "asterisk.conf").write_text("maxcalls = 3200\nmaxload = 0   ; never\nmaxfiles = 16384\n")
    assert await telephony.limits(scene) == []
    (etc / "asterisk.conf").write_text("maxcalls = 4000\nmaxload = 1.5\nmaxfiles = 16384\n")
    found = whats(await telephony.limits(scene))
    assert found[1:] == ["maxfiles is 16384: calls fail from 1638 at once on"]
    assert len(found) == 2


KERNEL = """\
Limit                     Soft Limit           Hard Limit           Units
Max processes             7823                 7823                 processes
Max open files            {files:<20} {files:<20} files
"""
LIMIT = "the running Asterisk may open {0} files: calls fail from {1} at once on"
RAISE = "LimitNOFILE=80000 by systemctl edit callengine-asterisk, or fewer lines; then, "
SMALLER = "it was started with a smaller maxfiles; "
RESTART = "when no call is live: systemctl restart callengine-asterisk"


# 8,000 calls need 80,000 descriptors.
@pytest.mark.parametrize(
    ("process", "unit", "maxfiles", "found"),
    [
        (96_000, "96000", 96_000, []),
        (65_536, "65536", 96_000, [(LIMIT.format(65_536, 6553), RAISE + RESTART)]),
        (16_384, "96000", 96_000, [(LIMIT.format(16_384, 1638), SMALLER + RESTART)]),
        (16_384, "96000", 16_384, []),  # the check `limits` reports maxfiles
        (None, "65536", 96_000, [(LIMIT.format(65_536, 6553), RAISE + RESTART)]),
        (None, "infinity", 96_000, []),
    ],
)  # fmt: skip
async def test_an_asterisk_that_may_open_too_few_files_is_found_with_what_limits_it(
    scene: Scene, process: int | None, unit: str, maxfiles: int, found: list[tuple[str, str]]
) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    (etc / "asterisk.conf").write_text(f"maxcalls = 16000\nmaxfiles = {maxfiles}\n")
    if process is not None:
        (scene.proc / "7").mkdir(parents=True)
        (scene.proc / "7" / "limits").write_text(KERNEL.format(files=process))
    run = systemd(asterisk={"LimitNOFILE": unit})
    findings = await telephony.descriptors(replace(scene, run=run))
    assert [(finding.what, finding.remedy) for finding in findings] == found


async def test_an_asterisk_of_another_unit_is_found_too_and_without_any_there_is_nothing_to_say(
    scene: Scene,
) -> None:
    async def no_unit(*command: str) -> Reply:
        return Reply(0, "MainPID=0\nLimitNOFILE=524288")

    async def run(*command: str) -> Reply:
        pid = "8" if command[2] == "asterisk" else "0"
        return Reply(0, f"MainPID={pid}\nLimitNOFILE=1024")

    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    assert await telephony.descriptors(replace(scene, run=run)) == [], "it has no asterisk.conf"
    (etc / "asterisk.conf").write_text("maxcalls = 3200\nmaxfiles = 16384\n")
    assert await telephony.descriptors(replace(scene, run=no_unit)) == []
    (found,) = await telephony.descriptors(replace(scene, run=run))
    assert "LimitNOFILE=16000 by systemctl edit asterisk," in found.remedy


def test_the_kernel_tells_the_limit_of_a_process(scene: Scene) -> None:
    limit = telephony.limit_of(replace(scene, proc=Path("/proc")), str(os.getpid()))
    assert limit == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


CONTACTS = """
  Contact:  <Aor/ContactUri..............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================
  Contact:  trunk/sip:192.0.2.1:5060                       1b2c3d4e5f {state}     nan
"""


@pytest.mark.parametrize(("state", "found"), [("Avail  ", 0), ("NonQual", 0), ("Unavail", 1)])
async def test_a_carrier_that_does_not_answer_is_found(scene: Scene, state: str, found: int) -> None:
    run = answers(CONTACTS.replace("{state}", state))
    assert len(await telephony.trunk(replace(scene, run=run))) == found


async def test_no_carrier_at_all_is_found(scene: Scene) -> None:
    assert whats(await telephony.trunk(replace(scene, run=answers("")))) == ["no carrier is configured"]


SOCKETS = {
    "tcp": ["0100007F:1F98 00000000:0000 0A 123", "00000000:1F98 00000000:0000 0A 123"],
    "udp": [
        "0A0200C0:13C4 00000000:0000 07 123",
        "00000000:ED64 00000000:0000 07 123",
        "00000000:4E20 00000000:0000 07 123",
    ],
    "tcp6": ["00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 124"],
    "udp6": ["00000000000000000000000000000000:0FA0 00000000000000000000000000000000:0000 07 999"],
}


async def test_a_port_that_strangers_reach_is_found_except_sip_rtp_questions_and_those_of_others(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = scene.settings.asterisk.etc_dir
    assert etc is not None
    (etc / "pjsip.conf").write_text("[udp]\nbind = 192.0.2.10:5060\n")
    (etc / "rtp.conf").write_text("rtpstart = 20000\nrtpend = 20900\n")
    (scene.proc / "net").mkdir(parents=True)
    for table, sockets in SOCKETS.items():
        rows = [socket.split() for socket in sockets]
        lines = [f"0: {local} {peer} {state} 0:0 0:0 0 {uid} 0" for local, peer, state, uid in rows]
        (scene.proc / "net" / table).write_text("\n".join(["header", *lines]))
    monkeypatch.setattr(network, "uids", lambda: iter([(123, "asterisk"), (124, "postgres")]))
    assert whats(await network.strangers(scene)) == ["tcp port 8088 of user asterisk is open on 0.0.0.0"]


async def test_the_senders_domain_has_its_records(scene: Scene) -> None:
    sender = scene.settings.mail.model_copy(update={"sender": "vm@provider.example"})
    scene = replace(scene, settings=scene.settings.model_copy(update={"mail": sender}))
    well = replace(
        scene,
        resolve=records(
            MX=["10 mx.provider.example."], TXT=['"v=spf1 a -all"'], A=["192.0.2.7"], PTR=["host.example."]
        ),
    )
    for look in (mail.sender, mail.mx, mail.spf):
        assert await look(well) == []
    bare = replace(scene, resolve=records())
    for look in (mail.mx, mail.spf, mail.reverse):
        assert len(await look(bare)) == 1
    assert "reverse name of 192.0.2.7" in whats(await mail.reverse(well))[0]


async def test_without_a_sender_nothing_is_mailed_and_bounces_need_a_port(scene: Scene) -> None:
    assert "not set" in whats(await mail.sender(scene))[0]
    changed = {"sender": "vm@provider.example", "smarthost": "127.0.0.1"}
    settings = scene.settings.model_copy(update={"mail": scene.settings.mail.model_copy(update=changed)})
    assert "bounces_port" in whats(await mail.sender(replace(scene, settings=settings)))[0]
