"""The settings of the object store for sealed audio."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from dialplan.model import Model


def _check_endpoint(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^\s/@?#]+", text.rstrip("/"), re.ASCII):
        raise ValueError("write scheme, host and port, without user or path: https://s3.example:9000")
    return text.rstrip("/")


class Objects(Model):
    """Where voicemail and recordings are stored, encrypted: a directory, or an S3 bucket."""

    directory: Path | None = Field(
        None, examples=["/var/lib/callengine/objects"], description="Directory. Unset: objects in `state`"
    )
    bucket: str = Field(
        "",
        pattern="^([a-z0-9][a-z0-9.-]{2,62})?$",
        description="S3 bucket instead of a directory, without versioning",
    )
    endpoint: Annotated[str, AfterValidator(_check_endpoint)] = Field(
        "", examples=["https://s3.example:9000"], description="Address of the S3 service. Unset: Amazon's"
    )
    region: str = Field("us-east-1", description="Region of the bucket")
    access_key: str = Field("", description="Access key ID")
    secret_key: SecretStr = Field(SecretStr(""), description="Secret access key; better as a credential")
    all_versions: bool = Field(
        default=False,
        description="The bucket may have versioning: all versions are deleted",
    )

    @model_validator(mode="after")
    def _one_place(self) -> "Objects":
        if self.bucket and self.directory:
            raise ValueError("give a directory or a bucket, not both")
        if self.bucket and not self.access_key:
            raise ValueError("a bucket needs access_key and secret_key")
        return self
