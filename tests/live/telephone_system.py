"""A telephone system that is reached by SIP addresses: its trunk, its telephones, their legs."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from devkit.carrier import Behaviour
from devkit.phones import LOOPBACK
from storage.records import CallRecord
from tests.live.service import Service

DOMAIN, TRUNK = "pbx.acme.example", "acme-pbx"
_users = count(1)


def system(service: Service, **settings: Any) -> Mapping[str, Any]:
    """The file of the telephone system's trunk: it is where the test's telephones are."""
    host = f"{LOOPBACK}:{service.house.carrier_port}"
    return {"host": host, "sip_domain": DOMAIN, "qualify_seconds": 0, **settings}


def new_user() -> str:
    """The user of a new telephone: with each character that is special somewhere, in both cases."""
    return f"Desk-{next(_users)}.reception"


def telephone(service: Service, behaviour: Behaviour) -> tuple[str, str]:
    """The user and the address of a new telephone of the system, which does this."""
    user = new_user()
    service.network.behave(user, behaviour)
    return user, f"sip:{user}@{DOMAIN}"


def legs(record: CallRecord) -> list[tuple[str, str, str]]:
    return [(leg.to, leg.trunk, str(leg.outcome)) for leg in record.legs]
