"""What the operator wants, and the passwords that are generated for it."""

import ipaddress
import re
import secrets
from dataclasses import dataclass

from storage.key_wrapper import new_master_key

LOCAL = "local"  # as database: PostgreSQL on this host
E164 = re.compile(r"\+[0-9]{7,15}", re.ASCII)
HOST_PORT = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}", re.ASCII)


class QuickstartError(Exception):
    """Nothing more is done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`sip`, `carrier`: HOST:PORT. `database`: LOCAL, or the URL of the owner of an empty database.

    `destination`: rung before the caller can leave a message; "" for none. `qualify_seconds`: 0 if the
    carrier does not answer OPTIONS.
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

    @property
    def slug(self) -> str:
        """The owner's name as a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.owner.lower()).strip("-") or "owner"

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
