"""The bucket that a quickstart makes, in a real object store; and its removal."""

import asyncio
from dataclasses import replace

import pytest

from devkit.seaweed import Seaweed
from storage.objects import ObjectsTrouble
from storage.objects.making import make_bucket, remove_bucket
from storage.objects.s3 import S3, Bucket
from tests.store.conftest import numbers


def new(store: Seaweed) -> Bucket:
    name = f"made-{next(numbers)}"
    return Bucket(name, store.endpoint, "us-east-1", store.access_key, store.secret_key)


async def test_a_bucket_is_made_that_the_worker_accepts_and_can_use(s3: Seaweed) -> None:
    bucket = new(s3)
    await asyncio.to_thread(make_bucket, bucket)
    objects = S3(bucket)
    assert await objects.objections() == []
    await objects.put("message/a", b"sealed")
    assert await objects.get("message/a") == b"sealed"
    await objects.close()
    assert s3.client().get_bucket_versioning(Bucket=bucket.name).get("Status") is None


async def test_it_is_removed_with_what_is_in_it(s3: Seaweed) -> None:
    bucket = new(s3)
    await asyncio.to_thread(make_bucket, bucket)
    objects = S3(bucket)
    await objects.put("message/a", b"sealed")
    await objects.close()
    await asyncio.to_thread(remove_bucket, bucket)
    assert bucket.name not in {it["Name"] for it in s3.client().list_buckets()["Buckets"]}


async def test_a_bucket_that_exists_is_somebody_elses(s3: Seaweed, bucket: str) -> None:
    with pytest.raises(ObjectsTrouble, match="the bucket answers 409"):
        await asyncio.to_thread(make_bucket, replace(new(s3), name=bucket))


async def test_a_wrong_key_and_a_store_that_is_away_are_troubles(s3: Seaweed) -> None:
    with pytest.raises(ObjectsTrouble, match="answers 403"):
        await asyncio.to_thread(make_bucket, replace(new(s3), secret_key="wrong"))
    with pytest.raises(ObjectsTrouble, match="cannot be reached"):
        await asyncio.to_thread(make_bucket, replace(new(s3), endpoint="http://127.0.0.1:1"))


async def test_its_rules_are_set_and_one_that_the_store_does_not_know_is_named(s3: Seaweed) -> None:
    """SeaweedFS has no block of public access, and no public access by default."""
    bucket = new(s3)
    assert await asyncio.to_thread(make_bucket, bucket) == ["closed to the public"]
    (rule,) = s3.client().get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert (rule["Status"], "Expiration" in rule) == ("Enabled", False)
