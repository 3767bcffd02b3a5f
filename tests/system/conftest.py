"""A booted Debian in which the product is installed step by step, as docs/operating.md says.

Each fixture is the state after a part of the guide, and builds upon the one before. A block that fails is the
error of every test that needs what it makes.
"""

import re
from collections.abc import AsyncIterator, Iterator

import pytest

from devkit.carrier import Answers, Carrier, carrier
from devkit.phones import Phones, phones
from tests.system.guest import Failed, Guest, booted, cannot_boot
from tests.system.guide import blocks, filled_in
from tests.system.house import (
    CARRIER_PORT,
    DATABASE_PASSWORDS,
    PASSWORD,
    SENDER,
    VALUES,
    mail_server,
    routing,
)
from tests.system.names import name_server
from tests.system.packages import Packages, built


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """Both packages, built."""
    if why := cannot_boot():
        pytest.skip(why)
    return built(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def versions(packages: Packages) -> Packages:
    """The same, and built once more, and as a later version."""
    packages.build_others()
    return packages


@pytest.fixture(scope="session")
def guest(packages: Packages) -> Iterator[Guest]:
    """A bare Debian, just booted."""
    with booted(packages.folder) as running:
        running.run("apt-get -qq update")
        yield running


@pytest.fixture(scope="session")
def installed(guest: Guest) -> Guest:
    """After "Installing": both packages, settings, credentials."""
    install, _, settings, credentials = blocks("Installing")
    guest.run(f"cd /srv/packages/now\n{install.text}", seconds=900)
    guest.run(
        filled_in(settings, {"voicemail@provider.example": SENDER, "smtp.provider.example": "127.0.0.1"})
    )
    guest.run(filled_in(credentials, {"PASSWORD": PASSWORD, "db.example": "127.0.0.1"}))
    return guest


@pytest.fixture(scope="session")
def with_database(installed: Guest) -> Guest:
    """After "Database": PostgreSQL of Debian's on the same host, the three roles, the schema."""
    installed.run("apt-get -qq install postgresql && systemctl start postgresql", seconds=900)
    (roles,) = blocks("Database", "sql")
    sql = re.sub(r"'\.\.\.'", lambda _: f"'{PASSWORD}'", roles.text)
    assert sql.count(PASSWORD) == len(DATABASE_PASSWORDS)
    installed.run(f"psql -v ON_ERROR_STOP=1 postgres <<'END OF SQL'\n{sql}\nEND OF SQL", user="postgres")
    (migrate,) = blocks("Database")
    assert "applied" in installed.run(filled_in(migrate, {}))
    return installed


@pytest.fixture(scope="session")
def with_asterisk(installed: Guest) -> Guest:
    """After "Asterisk": Asterisk beside the system's libraries, its configuration, its unit running."""
    lay_out, start = blocks("Asterisk")
    installed.run(filled_in(lay_out, VALUES), seconds=900)
    installed.run(filled_in(start, {}))
    return installed


@pytest.fixture(scope="session")
def production(with_database: Guest, with_asterisk: Guest) -> Guest:
    """After "Starting and monitoring": every unit runs; a mail server, an owner and numbers are there."""
    assert with_database is with_asterisk
    mail_server(with_asterisk)
    routing(with_asterisk)
    start, *_ = blocks("Starting and monitoring")
    try:
        with_asterisk.run(filled_in(start, {}), seconds=120)
    except Failed as failed:
        logs = [with_asterisk.log(f"callengine-{name}") for name in ("engine", "worker")]
        raise Failed("\n".join([str(failed), *logs])) from None
    return with_asterisk


@pytest.fixture
def names(production: Guest) -> Iterator[None]:
    """Name service, for what asks for the sender's domain."""
    with name_server(production):
        yield


@pytest.fixture
async def telephones(production: Guest) -> AsyncIterator[Phones]:
    """Telephones within the network of the guest."""
    with production.network():
        async with phones() as ready:
            yield ready


@pytest.fixture
async def network(telephones: Phones) -> AsyncIterator[Carrier]:
    """The carrier that the guest's Asterisk sends its calls to: whoever is called answers."""
    async with carrier(telephones, default=Answers(), port=CARRIER_PORT) as running:
        yield running
