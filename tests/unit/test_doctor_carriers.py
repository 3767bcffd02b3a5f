"""The doctor on carriers: what Asterisk lacks for them, registrations that are refused, old certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from cli.doctor import carriers, network
from cli.doctor.carriers import lacking
from cli.doctor.scene import Scene
from config.trunk import Trunk
from tests.unit.examined import answers, well, whats

RUNNING = {"codec_alaw.so", "codec_ulaw.so", "codec_g722.so", "res_srtp.so"}
TLS = "[tls]\ntype = transport\nbind = 192.0.2.10:5061\ncert_file = {chain}\nca_list_file = {ca}\n"
REGISTRATIONS = """
 <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
 beta/sip:sip.beta.example                 beta               Registered        (exp. 3595s)
 gamma/sip:sip.gamma.example:5062          gamma              Rejected          (exp. 290s)
"""


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = well(tmp_path, monkeypatch)
    (tmp_path / "etc/pjsip.conf").write_text("[udp]\ntype = transport\nbind = 192.0.2.10:5060\n")
    (tmp_path / "trunks").mkdir()
    asterisk = scene.settings.asterisk.model_copy(update={"trunks": tmp_path / "trunks"})
    return replace(scene, settings=scene.settings.model_copy(update={"asterisk": asterisk}))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"codecs": ("alaw", "g722")}, ""),
        ({"codecs": ("opus",)}, "codec opus"),
        ({"transport": "tls", "srtp": True}, "needs the transport tls"),
        ({"transport": "tcp"}, "needs the transport tcp"),
        ({"ipv6": True}, "needs the transport udp6"),
    ],
)
def test_what_asterisk_lacks_for_a_carrier_is_found(
    scene: Scene, tmp_path: Path, settings: dict[str, object], what: str
) -> None:
    trunk = Trunk.model_validate({"host": "a.example", **settings})
    found = whats(list(lacking("beta", trunk, RUNNING, tmp_path / "etc")))
    assert [what in text for text in found] == [True] * bool(what)
    without = RUNNING - {"res_srtp.so"}
    assert ("no SRTP" in str(list(lacking("beta", trunk, without, None)))) == trunk.srtp


async def test_a_carrier_that_refuses_the_registration_is_found(scene: Scene) -> None:
    assert whats(await carriers.registrations(replace(scene, run=answers(REGISTRATIONS)))) == [
        "trunk gamma is not registered: Rejected"
    ]


async def test_a_wrong_file_of_a_carrier_is_found(scene: Scene, tmp_path: Path) -> None:
    assert await carriers.carriers(scene) == []
    (tmp_path / "trunks/beta.yaml").write_text("hots: x\n")
    assert "beta.yaml" in whats(await carriers.carriers(scene))[0]


def over_tls(tmp_path: Path, ours: timedelta) -> trustme.CA:
    """Asterisk's transport for TLS, with a certificate that is valid for so long."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    chain = authority.issue_cert("sip.example", not_after=datetime.now(UTC) + ours)
    chain.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "chain.pem"))
    text = TLS.format(chain=tmp_path / "chain.pem", ca=tmp_path / "ca.pem")
    (tmp_path / "etc/transport-tls.conf").write_text(text)
    return authority


@asynccontextmanager
async def carrier(tmp_path: Path, authority: trustme.CA, name: str, days: int) -> AsyncIterator[None]:
    """A carrier whose certificate has this name, and is valid for so long."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_after=datetime.now(UTC) + timedelta(days, 60)).configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    (tmp_path / "trunks/beta.yaml").write_text(f"host: 127.0.0.1:{port}\ntransport: tls\n")
    async with server:
        yield


@pytest.mark.parametrize(("days", "what"), [(30, ""), (3, "expires on"), (-1, "expired on")])
async def test_our_own_certificate_is_renewed_in_time(
    scene: Scene, tmp_path: Path, days: int, what: str
) -> None:
    over_tls(tmp_path, timedelta(days))
    found = whats(await carriers.certificates(scene))
    assert [what in text for text in found] == [True] * bool(what)


@pytest.mark.parametrize(
    ("name", "days", "what"),
    [
        ("127.0.0.1", 30, ""),
        ("127.0.0.1", 3, "the certificate of trunk beta expires on"),
        ("other.example", 30, "IP address mismatch"),
        ("127.0.0.1", -1, "certificate has expired"),
    ],
)
async def test_a_carriers_certificate_that_asterisk_will_refuse_is_found(
    scene: Scene, tmp_path: Path, name: str, days: int, what: str
) -> None:
    authority = over_tls(tmp_path, timedelta(30))
    async with carrier(tmp_path, authority, name, days):
        found = whats(await carriers.certificates(scene))
    assert [what in text for text in found] == [True] * bool(what)


async def test_without_tls_there_is_no_certificate(scene: Scene) -> None:
    assert await carriers.certificates(scene) == []


def test_the_ports_of_all_transports_are_sip(scene: Scene, tmp_path: Path) -> None:
    over_tls(tmp_path, timedelta(30))
    ports = [network.sip_ports(file) for file in carriers.sip_files(tmp_path / "etc")]
    assert ports == [{5060}, {5061}]
