"""Carriers of a running service: their files, written while it runs, and what Asterisk has of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from devkit.ports import reserve_ports
from devkit.stack import variable
from tests.live.service import House, open_house, until


@dataclass(frozen=True)
class Certificates:
    """Those of one authority, made for a test: files in PEM."""

    authorities: Path
    chain: Path  # certificate and key of 127.0.0.1


def certificates(folder: Path) -> Certificates:
    authority = trustme.CA(organization_name="a carrier's authority")
    made = Certificates(folder / "authorities.pem", folder / "chain.pem")
    authority.cert_pem.write_to_path(str(made.authorities))
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(made.chain)
    )
    return made


@dataclass
class Trunking:
    """A service with transports for TCP and TLS, whose carriers are the files of `folder`."""

    house: House
    folder: Path
    certificates: Certificates
    sip: Mapping[str, str]  # HOST:PORT by transport

    async def have(self, **trunks: Mapping[str, Any]) -> None:
        """Let these be the carriers, by name, and no others; returns when they are in force."""
        before = self.house.told("trunks_in_force")
        wanted = {name: yaml.safe_dump(dict(settings)) for name, settings in trunks.items()}
        present = {file.stem: file.read_text() for file in self.folder.glob("*.yaml")}
        if wanted == present:
            return
        for name in present.keys() - wanted.keys():
            (self.folder / f"{name}.yaml").unlink()
        for name, text in wanted.items():
            (self.folder / f"{name}.yaml").write_text(text)
        await until(lambda: self.house.told("trunks_in_force") > before)
        written = self.house.endpoint.etc / "fallback.conf"
        named = [name for name in trunks if name != "trunk"]
        # By NEXT_ of another carrier, or SIP_ of a domain.
        await until(lambda: all(f"={name}\n" in written.read_text() for name in named))

    def uri(self, number: str, transport: str = "udp") -> str:
        """Where a carrier sends a call to this number."""
        return f"sip:{number}@{self.sip[transport]};transport={transport}"


@contextmanager
def trunking(folder: Path, **settings: str) -> Iterator[Trunking]:
    """`settings`: of callengine.toml, or of Asterisk's blanks, by their names in capitals."""
    made, trunks = certificates(folder), folder / "trunks"
    trunks.mkdir()
    values = {name: value for name, value in settings.items() if name.isupper()}
    with pytest.MonkeyPatch.context() as environment, reserve_ports(2) as (tcp, tls):
        environment.setenv(variable("asterisk.trunks"), str(trunks))
        for name in settings.keys() - values.keys():
            environment.setenv(variable(name.replace("__", ".")), settings[name])
        addresses = {"TCP_ADDRESS": f"127.0.0.1:{tcp}", "TLS_ADDRESS": f"127.0.0.1:{tls}"}
        files = {"TLS_CERTIFICATE": made.chain, "TLS_KEY": made.chain, "TLS_AUTHORITIES": made.authorities}
        values = {**addresses, **{name: str(file) for name, file in files.items()}, **values}
        with open_house(folder, values=values) as house:
            sip = {"udp": house.run.sip, "tcp": addresses["TCP_ADDRESS"], "tls": addresses["TLS_ADDRESS"]}
            yield Trunking(house, trunks, made, sip)
