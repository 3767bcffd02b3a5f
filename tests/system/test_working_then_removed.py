"""The packages purged, last of all: what belongs to owners and callers stays. Then a quickstart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devkit.seaweed import Seaweed, seaweed
from tests.system.guest import Guest
from tests.system.guide import blocks, filled_in
from tests.system.house import CARRIER_PORT, MAIL, SENDER, SIP, TALKED

pytestmark = [pytest.mark.timeout(1800)]
HERE = {
    "192.0.2.10:5060": SIP,
    "sip.carrier.example:5060": f"127.0.0.1:{CARRIER_PORT}",
    "address 192.0.2.1": "address 127.0.0.9 --smarthost 127.0.0.1 --qualify-seconds 0 --yes",
    "+3270012345": TALKED,
    "office@acme.example": MAIL,
    "voicemail@provider.example": SENDER,
}
QUICKSTART = filled_in(blocks("Installing")[1], HERE).strip()
DROP = """
psql -q <<'END'
DROP DATABASE callengine WITH (FORCE);
DROP ROLE callengine_owner, callengine_worker, callengine_portal, callengine_reader;
END
"""
EXISTS = "psql -qtAc \"SELECT rolname FROM pg_roles WHERE rolname LIKE 'callengine%'\""
BUCKET = "voice-of-acme"
# Credentials, routing, journal; Asterisk's configuration, and CEL.
KEPT = (
    "/etc/callengine/credentials/master_key",
    "/etc/callengine/routing/owners/acme.yaml",
    "/var/lib/callengine/journal",
    "/etc/asterisk/pjsip.conf",
    "/var/log/asterisk/cel-custom/Master.csv",
)
# Folders that may be disks of their own.
DISKS = ("/var/lib/callengine", "/var/spool/asterisk/recording")


def test_a_purge_removes_the_program_and_keeps_the_data_unless_it_is_told_to_remove_it(
    production: Guest,
) -> None:
    kept = f"ls -d {' '.join(KEPT)}"
    production.run("apt-get -qq purge callengine callengine-asterisk", seconds=120)
    assert production.run(kept).split() == sorted(KEPT)
    left = production.attempt(
        "ls -d /usr/lib/callengine* /usr/bin/callengine /usr/sbin/asterisk /etc/systemd/system/*/callengine*"
    )
    assert left.stdout == ""
    assert production.run("systemctl --failed --plain --no-legend") == ""
    production.run("cd /srv/packages/now && apt-get -qq install ./*.deb", seconds=120)
    for folder in DISKS:
        put_on_a_disk(production, folder)
    production.run("CALLENGINE_PURGE=data apt-get -qq purge callengine callengine-asterisk", seconds=120)
    assert production.attempt(kept).stdout == ""
    assert production.run(f"find {' '.join(DISKS)}").split() == list(DISKS)  # emptied, and still mounted
    production.run(f"umount {' '.join(DISKS)} && rmdir -p --ignore-fail-on-non-empty {' '.join(DISKS)}")


def put_on_a_disk(production: Guest, folder: str) -> None:
    """Mount another folder there, with what the folder had; nothing if something is mounted there already."""
    disk = f"/srv/disks{folder}"
    moved = f"mkdir -p {disk} && cp -a {folder}/. {disk} && find {folder} -mindepth 1 -delete"
    production.run(f"mountpoint -q {folder} || {{ {moved} && mount --bind {disk} {folder}; }}")


@pytest.fixture
def store(production: Guest, tmp_path: Path) -> Iterator[Seaweed]:
    """An object store in the guest's network."""
    with production.network(), seaweed(tmp_path / "store", tmp_path / "log") as running:
        yield running


def test_a_quickstart_makes_a_first_call_and_is_taken_back(production: Guest, store: Seaweed) -> None:
    """After the purge: the packages again, on a host that has only the database of before."""
    production.run("cd /srv/packages/now && apt-get -qq install ./*.deb", seconds=120)
    refused = production.attempt(QUICKSTART)
    assert "/root/callengine-owner exists: this host has been set up before" in refused.stderr
    refused = production.attempt(f"rm /root/callengine-owner && {QUICKSTART}")
    assert "PostgreSQL has callengine, callengine_owner" in refused.stderr
    assert production.attempt("ls /etc/callengine/quickstart.json").returncode != 0
    production.run(DROP, user="postgres")

    bucket = f"--bucket {BUCKET} --endpoint {store.endpoint} --access-key {store.access_key}"
    shown = production.run(
        f"export QUICKSTART_SECRET_KEY={store.secret_key}\n{QUICKSTART} {bucket}", seconds=200
    )
    assert "the test call was answered: voicemail" in shown
    assert buckets(store) == [BUCKET]
    assert production.attempt("ls /etc/asterisk/quickstart.conf").returncode != 0
    assert production.run("callengine calls --format json | jq length") == "1\n"
    looked = production.run("callengine doctor --without clock --without mx --without spf")
    assert "error" not in looked
    again = production.attempt(QUICKSTART)
    assert "quickstart --undo first" in again.stderr

    production.run("callengine quickstart --undo --yes", seconds=60)
    assert buckets(store) == []
    assert production.run(EXISTS, user="postgres") == ""
    folders = "/etc/asterisk /etc/callengine/credentials /var/lib/callengine"
    assert production.run(f"ls -A {folders}").split() == [f"{folder}:" for folder in folders.split()]
    assert production.attempt("ls /root/callengine-owner").returncode != 0
    assert production.run("systemctl is-active callengine-engine || true") == "inactive\n"


def buckets(store: Seaweed) -> list[str]:
    """But for the one by which the test knows that the store is ready."""
    names = [bucket["Name"] for bucket in store.client().list_buckets()["Buckets"]]
    return [name for name in names if name != "ready"]
