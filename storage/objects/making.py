"""Making a bucket for sealed audio, and removing one that has served a trial only. Both block.

Its rules: no versions and no lock, closed to the public; an upload that was never finished goes after a day.
"""

from collections.abc import Callable, Mapping
from typing import Any

from storage.objects.s3 import Bucket, connect, plainly

AMAZONS_FIRST = "us-east-1"  # the one region that must not be named
UNSUPPORTED = frozenset({"NotImplemented", "MethodNotAllowed", "XNotImplemented", "InvalidRequest"})
RULES = {
    "Rules": [
        {
            "ID": "callengine-unfinished-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
}
CLOSED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def make_bucket(bucket: Bucket) -> list[str]:
    """Make a new bucket; return the rules that this store does not know. Raises ObjectsTrouble."""
    return plainly(_make, connect(bucket), bucket)


def remove_bucket(bucket: Bucket) -> None:
    """Delete every object of the bucket, and the bucket. Raises ObjectsTrouble."""
    plainly(_remove, connect(bucket), bucket.name)


def _make(client: Any, bucket: Bucket) -> list[str]:
    where: dict[str, Any] = {}
    if not bucket.endpoint and bucket.region != AMAZONS_FIRST:
        where["CreateBucketConfiguration"] = {"LocationConstraint": bucket.region}
    client.create_bucket(Bucket=bucket.name, **where)
    rules: Mapping[str, Callable[[], Any]] = {
        "unfinished uploads are deleted": lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket.name, LifecycleConfiguration=RULES
        ),
        "closed to the public": lambda: client.put_public_access_block(
            Bucket=bucket.name, PublicAccessBlockConfiguration=CLOSED
        ),
    }
    return [name for name, put in rules.items() if not _is_taken(put)]


def _is_taken(put: Callable[[], Any]) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - 0.5 s

    try:
        put()
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNSUPPORTED:
            raise
        return False
    return True


def _remove(client: Any, name: str) -> None:
    for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            client.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    client.delete_bucket(Bucket=name)
