"""What the operator wants, and the passwords that are generated for it."""

import ipaddress
import re
import secrets
from dataclasses import dataclass, field

from storage.key_wrapper import new_master_key
from storage.objects.s3 import Bucket

LOCAL = "local"  # as database: PostgreSQL on this host
E164 = re.compile(r"\+[0-9]{7,15}", re.ASCII)
HOST_PORT = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}", re.ASCII)


class QuickstartError(Exception):
    """Nothing more is done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`sip`, `carrier`: HOST:PORT. `database`: LOCAL, or the URL of the owner of an empty database.

    `destination`: rung before the caller can leave a message; "" for none. `qualify_seconds`: 0 if the
    carrier does not answer OPTIONS. `login`: the user by which this host registers with the carrier, "" if
    the carrier knows it by its address. `bucket`: to be made in the S3 service of `endpoint` ("": Amazon's);
    "" stores audio in a folder. The secrets are the operator's own.
    """

    sip: str
    carrier: str
    carrier_address: str
    number: str
    owner: str
    owner_mail: str
    sender: str
    smarthost: str = ""
    destination: str = ""
    database: str = LOCAL
    timezone: str = "Europe/Brussels"
    language: str = "en"
    qualify_seconds: str = "30"
    login: str = ""
    login_password: str = field(default="", repr=False)
    bucket: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def slug(self) -> str:
        """The owner's name as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.owner.lower()).strip("-") or "owner"

    @property
    def s3(self) -> Bucket | None:
        """The bucket to make; None: audio is stored in a folder."""
        if not self.bucket:
            return None
        return Bucket(self.bucket, self.endpoint, self.region, self.access_key, self.secret_key)

    def check(self) -> None:
        """Raise QuickstartError for what cannot be used."""
        for name, text in (("sip", self.sip), ("carrier", self.carrier)):
            if not HOST_PORT.fullmatch(text):
                raise QuickstartError(f"--{name} {text}: write HOST:PORT, as in 192.0.2.10:5060")
        for name, text in (("number", self.number), ("destination", self.destination)):
            if text and not E164.fullmatch(text):
                raise QuickstartError(f"--{name} {text}: write it as in +3270012345")
        try:
            ipaddress.ip_network(self.carrier_address)
        except ValueError:
            what = f"--carrier-address {self.carrier_address}: write an address, as in 192.0.2.1"
            raise QuickstartError(what) from None
        if self.login and not self.login_password:
            raise QuickstartError("--login: its password is missing: QUICKSTART_LOGIN_PASSWORD")
        if self.bucket and not (self.access_key and self.secret_key):
            what = "--bucket: write --access-key, and the secret key into QUICKSTART_SECRET_KEY"
            raise QuickstartError(what)


@dataclass(frozen=True, slots=True)
class Passwords:
    """Generated for one installation, and written into files of root's only."""

    owner: str
    worker: str
    portal: str
    reader: str
    ari: str
    events: str
    master_key: str

    @classmethod
    def new(cls) -> "Passwords":
        names = ("owner", "worker", "portal", "reader", "ari", "events")
        return cls(**{name: secrets.token_hex(24) for name in names}, master_key=new_master_key())
