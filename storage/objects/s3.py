"""Objects in an S3 bucket: boto3 in threads, which is as fast as the asyncio clients (measured).

The store's answers are not trusted: every upload has a checksum, and a deletion is complete when a listing is
empty. In a bucket that keeps versions, DELETE only adds a marker: there every version is deleted, and such a
bucket is used only if the settings allow it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from journal.fault import point
from storage.objects import ObjectExists, ObjectMissing, ObjectsTrouble, Stored

THREADS = 8
CONNECT_SECONDS = 5
READ_SECONDS = 30
TRIES = 2  # of one request; then the work with this object is deferred
PROBE = "callengine-probe-"
LEFT_OVER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where, and with which keys. `endpoint` "": Amazon's own. `all_versions`: it may keep versions."""

    name: str
    endpoint: str
    region: str
    access_key: str
    secret_key: str
    all_versions: bool = False


class S3:
    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(THREADS, "s3")
        self._client: Any = None

    async def put(self, name: str, data: bytes) -> None:
        await self._in_thread(self._put, name, data)

    async def get(self, name: str) -> bytes:
        return await self._in_thread(self._get, name)

    async def size(self, name: str) -> int:
        return await self._in_thread(self._size, name)

    async def read(self, name: str, start: int, size: int) -> bytes:
        return await self._in_thread(self._read, name, start, size)

    async def delete(self, name: str) -> int:
        return await self._in_thread(self._delete, name)

    async def all(self, prefix: str = "") -> AsyncIterator[Stored]:
        pages = self._pages("list_object_versions", Prefix=prefix)
        while page := await self._in_thread(partial(next, pages, None)):
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield Stored(version["Key"], version["LastModified"])

    async def objections(self) -> list[str]:
        try:
            return await self._in_thread(self._objections)
        except ObjectsTrouble as trouble:
            return [f"{trouble}; look at [objects] of the settings"]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _put(self, name: str, data: bytes) -> None:
        point("object.before_upload")
        self._ask("put_object", Key=name, Body=data, IfNoneMatch="*", ChecksumAlgorithm="SHA256")
        point("object.after_upload")

    def _get(self, name: str) -> bytes:
        body: bytes = self._ask("get_object", Key=name)["Body"].read()
        return body

    def _size(self, name: str) -> int:
        return int(self._ask("head_object", Key=name)["ContentLength"])

    def _read(self, name: str, start: int, size: int) -> bytes:
        if size == 0:
            return b""
        answer = self._ask("get_object", Key=name, Range=f"bytes={start}-{start + size - 1}")
        body: bytes = answer["Body"].read()
        return body

    def _delete(self, name: str) -> int:
        deleted = 0
        for version in self._versions(name):
            self._ask("delete_object", Key=name, VersionId=version["VersionId"])
            deleted += 1
        for upload in self._uploads(name):
            self._ask("abort_multipart_upload", Key=name, UploadId=upload["UploadId"])
            deleted += 1
        if any(self._versions(name)) or any(self._uploads(name)):
            raise ObjectsTrouble(f"{name} was deleted, but still exists")
        return deleted

    def _versions(self, name: str) -> list[Mapping[str, Any]]:
        """All versions of one object, with the markers of its deletion."""
        pages = self._pages("list_object_versions", Prefix=name)
        kinds = ("Versions", "DeleteMarkers")
        versions = [version for page in pages for kind in kinds for version in page.get(kind, [])]
        return [version for version in versions if version["Key"] == name]

    def _uploads(self, name: str) -> list[Mapping[str, Any]]:
        """Unfinished multipart uploads. The worker makes none, but another tool may have."""
        pages = self._pages("list_multipart_uploads", Prefix=name)
        return [upload for page in pages for upload in page.get("Uploads", []) if upload["Key"] == name]

    def _objections(self) -> list[str]:
        lock = self._lock()
        if lock.get("Rule"):
            return [
                f"bucket {self._bucket.name} locks its objects, so they cannot be destroyed on time; "
                "use a bucket without a default retention"
            ]
        if (lock or self._ask("get_bucket_versioning").get("Status")) and not self._bucket.all_versions:
            return [
                f"bucket {self._bucket.name} keeps versions: use one that does not, or have all of them "
                "deleted by objects.all_versions = true"
            ]
        self._try()
        return []

    def _lock(self) -> Mapping[str, Any]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - 0.5 s

        try:
            answer = self._connected().get_object_lock_configuration(Bucket=self._bucket.name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ObjectLockConfigurationNotFoundError":
                return {}
            raise
        lock: Mapping[str, Any] = answer["ObjectLockConfiguration"]
        return lock

    def _try(self) -> None:
        """Check the rights to write, read, list and delete, by an object of this check alone."""
        self._sweep()
        probe = PROBE + secrets.token_hex(4)
        self._put(probe, b"probe")
        if self._get(probe) != b"probe":
            raise ObjectsTrouble(f"bucket {self._bucket.name} returns other bytes than were written")
        self._delete(probe)

    def _sweep(self) -> None:
        """Delete the object of a check that was killed."""
        for page in self._pages("list_object_versions", Prefix=PROBE):
            for version in page.get("Versions", []):
                if datetime.now(UTC) - version["LastModified"] > LEFT_OVER:
                    self._delete(version["Key"])

    def _pages(self, method: str, **params: Any) -> Iterator[Mapping[str, Any]]:
        pages = self._connected().get_paginator(method).paginate(Bucket=self._bucket.name, **params)
        return iter(pages)

    def _ask(self, method: str, **params: Any) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = getattr(self._connected(), method)(Bucket=self._bucket.name, **params)
        return answer

    def _connected(self) -> Any:
        if self._client is None:
            self._client = connect(self._bucket)
        return self._client

    async def _in_thread[T](self, work: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(plainly, work, *args))


def plainly[T](work: Callable[..., T], *args: Any) -> T:
    """Do it; translate boto3's errors. The messages name no key and no secret."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.5 s
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with them

    try:
        return work(*args)
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 412:
            raise ObjectExists(*args[:1]) from None
        if code in ("NoSuchKey", "404"):  # HEAD has no body with a code
            raise ObjectMissing(*args[:1]) from None
        raise ObjectsTrouble(f"the bucket answers {status} {code}") from error
    except (BotoCoreError, HTTPError, OSError) as error:
        raise ObjectsTrouble(f"the bucket cannot be reached: {type(error).__name__}") from error


def connect(bucket: Bucket) -> Any:
    import boto3  # noqa: PLC0415 - 0.5 s, which only installations with a bucket need spend
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        max_pool_connections=THREADS,
    )
    # None of boto3's own sources of keys is asked: the settings have them.
    return boto3.client(
        "s3",
        endpoint_url=bucket.endpoint or None,
        region_name=bucket.region,
        aws_access_key_id=bucket.access_key,
        aws_secret_access_key=bucket.secret_key,
        config=config,
    )
