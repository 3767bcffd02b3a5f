"""The object stores, a directory and a real S3, held to the same suite; and what only a bucket can do."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from devkit.seaweed import Seaweed
from storage.objects import ObjectExists, ObjectMissing, Objects, ObjectsTrouble
from storage.objects.directory import Directory
from storage.objects.s3 import S3, Bucket

NAME = "message/018f0000-0000-7000-8000-000000000001-vm1"
OTHER = NAME + "0"  # NAME is a prefix of it


def s3_of(store: Seaweed, bucket: str, *, all_versions: bool = False, secret: str = "") -> S3:
    key = secret or store.secret_key
    return S3(Bucket(bucket, store.endpoint, "us-east-1", store.access_key, key, all_versions))


@pytest.fixture(params=["directory", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Objects]:
    found: Objects = Directory(tmp_path / "objects")
    if request.param == "s3":
        found = s3_of(request.getfixturevalue("s3"), request.getfixturevalue("bucket"))
    yield found
    await found.close()


async def names(objects: Objects) -> list[str]:
    return sorted([stored.name async for stored in objects.all()])


async def test_what_is_put_is_got(objects: Objects) -> None:
    data = os.urandom(300_000)
    await objects.put(NAME, data)
    assert await objects.get(NAME) == data


async def test_any_part_of_it_is_read(objects: Objects) -> None:
    data = os.urandom(300_000)
    await objects.put(NAME, data)
    assert await objects.size(NAME) == len(data)
    for start, size in ((0, 10), (1, 0), (123_456, 100_000), (299_990, 10), (299_990, 1000)):
        assert await objects.read(NAME, start, size) == data[start : start + size]


async def test_nothing_is_written_over(objects: Objects) -> None:
    await objects.put(NAME, b"first")
    with pytest.raises(ObjectExists):
        await objects.put(NAME, b"second")
    assert await objects.get(NAME) == b"first"


async def test_of_many_who_put_the_same_only_one_does(objects: Objects) -> None:
    tries = [objects.put(NAME, f"{n}".encode() * 1000) for n in range(8)]
    refused = [it for it in await asyncio.gather(*tries, return_exceptions=True) if it is not None]
    assert [type(it) for it in refused] == [ObjectExists] * 7
    assert len(await objects.get(NAME)) == 1000


async def test_what_is_not_there_is_missing(objects: Objects) -> None:
    for asked in (objects.get(NAME), objects.size(NAME), objects.read(NAME, 0, 1)):
        with pytest.raises(ObjectMissing):
            await asked
    assert await names(objects) == []


async def test_what_is_deleted_is_gone_and_only_that(objects: Objects) -> None:
    await objects.put(NAME, b"one")
    await objects.put(OTHER, b"two")
    assert await objects.delete(NAME) == 1
    assert await objects.delete(NAME) == 0
    assert await names(objects) == [OTHER]
    with pytest.raises(ObjectMissing):
        await objects.get(NAME)
    await objects.put(NAME, b"again")


async def test_everything_is_listed(objects: Objects) -> None:
    for n in range(5):
        await objects.put(f"message/{n}", b"sound")
        await objects.put(f"recording/{n}", b"sound")
    listed = [f"{kind}/{n}" for kind in ("message", "recording") for n in range(5)]
    assert await names(objects) == listed


async def test_a_usable_store_has_no_objections_and_keeps_nothing_of_the_looking(objects: Objects) -> None:
    assert await objects.objections() == []
    assert await names(objects) == []


def test_a_directory_keeps_what_it_has_for_itself(tmp_path: Path) -> None:
    asyncio.run(Directory(tmp_path / "objects").put(NAME, b"sound"))
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "objects").rglob("*")}
    assert modes == {0}


async def test_a_draft_that_a_crash_has_left_goes_with_its_object(tmp_path: Path) -> None:
    objects = Directory(tmp_path)
    await objects.put(NAME, b"sound")
    (tmp_path / f"{NAME}.0badcafe.part").write_bytes(b"half a so")
    assert await objects.delete(NAME) == 2
    assert await names(objects) == []


async def test_a_directory_that_cannot_be_made_is_an_objection(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (objection,) = await Directory(tmp_path / "file" / "objects").objections()
    assert "objects.directory in the settings" in objection


async def test_an_empty_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    """Its disk is not mounted: what is stored there would be hidden later, and nothing would be destroyed."""
    folder = tmp_path / "objects"
    objects = Directory(folder, tmp_path / "objects-marked")
    assert await objects.objections() == []
    await objects.put(NAME, b"sound")
    assert await names(objects) == [NAME]
    disk = folder.rename(tmp_path / "disk")
    folder.mkdir()
    (objection,) = await objects.objections()
    assert "mount its disk" in objection
    for work in (objects.put(OTHER, b"sound"), objects.get(NAME), objects.delete(NAME)):
        with pytest.raises(ObjectsTrouble, match="mount its disk"):
            await work
    folder.rmdir()
    disk.rename(folder)
    assert await objects.get(NAME) == b"sound"


async def test_a_bucket_that_keeps_versions_is_refused(s3: Seaweed, bucket: str) -> None:
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    (objection,) = await s3_of(s3, bucket).objections()
    assert "keeps versions" in objection
    assert "objects.all_versions" in objection


async def test_told_to_it_deletes_every_version_and_every_begun_upload(s3: Seaweed, bucket: str) -> None:
    client = s3.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    objects = s3_of(s3, bucket, all_versions=True)
    assert await objects.objections() == []
    for n in range(3):
        client.put_object(Bucket=bucket, Key=NAME, Body=b"%d" % n)
    client.put_object(Bucket=bucket, Key=OTHER, Body=b"another's")
    client.delete_object(Bucket=bucket, Key=NAME)  # which only adds a marker
    client.create_multipart_upload(Bucket=bucket, Key=NAME)
    assert await objects.delete(NAME) == 5
    assert await names(objects) == [OTHER]
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


async def test_a_bucket_that_locks_what_it_has_is_refused_whatever_is_told(s3: Seaweed) -> None:
    name = s3.make_bucket("bucket-locked", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    s3.client().put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    (objection,) = await s3_of(s3, name, all_versions=True).objections()
    assert "cannot be destroyed on time" in objection


async def test_a_locked_version_is_told_and_not_called_deleted(s3: Seaweed) -> None:
    name = s3.make_bucket("bucket-held", ObjectLockEnabledForBucket=True)
    hold = {"ObjectLockLegalHoldStatus": "ON"}
    s3.client().put_object(Bucket=name, Key=NAME, Body=b"held", **hold)
    with pytest.raises(ObjectsTrouble):
        await s3_of(s3, name, all_versions=True).delete(NAME)


async def test_a_wrong_secret_is_an_objection_that_does_not_tell_it(s3: Seaweed, bucket: str) -> None:
    (objection,) = await s3_of(s3, bucket, secret="wrong-secret").objections()
    assert "403" in objection
    assert "wrong-secret" not in objection


async def test_a_bucket_that_is_not_there_is_an_objection(s3: Seaweed) -> None:
    (objection,) = await s3_of(s3, "no-such-bucket").objections()
    assert "NoSuchBucket" in objection


async def test_a_store_that_is_away_is_told_as_that() -> None:
    objects = S3(Bucket("bucket", "http://127.0.0.1:1", "us-east-1", "key", "secret"))
    with pytest.raises(ObjectsTrouble, match="cannot be reached"):
        await objects.get(NAME)
    assert "cannot be reached" in (await objects.objections())[0]


@contextmanager
def server_that_says(status: int, body: bytes) -> Iterator[str]:
    class Says(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + 7))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Says) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(5)


@pytest.mark.parametrize("status", [200, 500, 503])
async def test_an_answer_that_breaks_off_or_is_none_is_trouble(status: int) -> None:
    with server_that_says(status, b"half a so") as endpoint:
        objects = S3(Bucket("bucket", endpoint, "us-east-1", "key", "secret"))
        with pytest.raises(ObjectsTrouble):
            await objects.get(NAME)
        await objects.close()


def test_seaweed_listens_on_loopback_only(s3: Seaweed) -> None:
    """Its defaults would bind every address, and its filer asks nobody for a login."""
    inodes = {
        os.readlink(fd).removeprefix("socket:[").removesuffix("]")
        for fd in Path(f"/proc/{s3.pid}/fd").iterdir()
        if fd.exists() and os.readlink(fd).startswith("socket:[")
    }
    listening = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in inodes:
                listening.add(local.partition(":")[0])
    assert listening == {"0100007F"}
