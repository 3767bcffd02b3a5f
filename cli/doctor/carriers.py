"""The carriers that have a file: what Asterisk needs for them, their registrations and their certificates."""

import asyncio
import re
import ssl
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from config.errors import ConfigErrors
from config.trunk import Codec, Transport, Trunk
from config.trunks import load_trunks

SOON = timedelta(days=14)
TLS_PORT = 5061
CONNECT_SECONDS = 5
# Any of these modules converts the codec.
CODECS = {
    Codec.PCMA: ("codec_alaw.so",),
    Codec.PCMU: ("codec_ulaw.so",),
    Codec.G722: ("codec_g722.so",),
    Codec.OPUS: ("codec_opus_open_source.so", "codec_opus.so"),
}
REFUSED = re.compile(r"^\s*(\S+?)/sips?:\S+\s+\S+\s+(Rejected|Unregistered|Stopped)\b", re.M)


async def carriers(scene: Scene) -> list[Finding]:
    """The carriers' files have no error, and Asterisk has the codecs and transports that they name."""
    try:
        trunks = load_trunks(scene.settings.asterisk.trunks).by_name
    except ConfigErrors as errors:
        return [Finding(str(error), "the former carriers are in force") for error in errors.errors]
    if not trunks:
        return []
    async with scene.asterisk() as client:
        running = {module.name for module in await client.asterisk.list_modules() if module.running}
    etc = scene.settings.asterisk.etc_dir
    return [finding for name, trunk in trunks.items() for finding in lacking(name, trunk, running, etc)]


def lacking(name: str, trunk: Trunk, running: Collection[str], etc: Path | None) -> Iterator[Finding]:
    """What Asterisk does not have of what this carrier needs."""
    for codec in trunk.codecs:
        if not any(module in running for module in CODECS[codec]):
            remedy = f"load = {CODECS[codec][0]} in modules.conf, or remove it from `codecs`"
            yield Finding(f"trunk {name} has codec {codec}, which Asterisk cannot convert", remedy)
    if trunk.srtp and "res_srtp.so" not in running:
        yield Finding(f"trunk {name} has `srtp`, and Asterisk no SRTP", "load = res_srtp.so in modules.conf")
    if etc is not None and trunk.socket not in transports(etc):
        remedy = f"lay-out.sh with {trunk.socket.upper().replace('UDP6', 'SIP6')}_ADDRESS in asterisk.values"
        yield Finding(
            f"trunk {name} needs the transport {trunk.socket}, which Asterisk does not have", remedy
        )


def transports(etc: Path) -> set[str]:
    """The names of the transports in Asterisk's configuration."""
    text = "\n".join(file.read_text("utf-8") for file in sip_files(etc))
    return set(re.findall(r"^\[([a-z0-9]+)\]\s*\ntype\s*=\s*transport", text, re.M))


def sip_files(etc: Path) -> list[Path]:
    """The files with transports."""
    return [file for file in (etc / "pjsip.conf", *sorted(etc.glob("transport-*.conf"))) if file.exists()]


async def registrations(scene: Scene) -> list[Finding]:
    """Carriers at which Asterisk registers have accepted it."""
    reply = await scene.run("asterisk", "-rx", "pjsip show registrations")
    remedy = "`user` and credential trunk_passwords__NAME; then asterisk -rx 'pjsip send register NAME'"
    return [
        Finding(f"trunk {name} is not registered: {state}", remedy)
        for name, state in REFUSED.findall(reply.text)
    ]


async def certificates(scene: Scene) -> list[Finding]:
    """The certificates of SIP over TLS, ours and the carriers', are valid for two weeks more."""
    etc = scene.settings.asterisk.etc_dir
    settings = tls_settings(etc) if etc else {}
    if not settings:
        return []
    try:
        trunks = load_trunks(scene.settings.asterisk.trunks).by_name
    except ConfigErrors:
        trunks = {}  # the check `carriers` reports them
    over_tls = {name: trunk for name, trunk in trunks.items() if trunk.transport is Transport.TLS}
    theirs = await asyncio.gather(
        *(of_carrier(name, trunk, settings.get("ca_list_file", "")) for name, trunk in over_tls.items())
    )
    return [*await asyncio.to_thread(ours, settings), *(finding for found in theirs for finding in found)]


def tls_settings(etc: Path) -> dict[str, str]:
    """The settings of the transport for TLS; none if there is none."""
    text = "\n".join(file.read_text("utf-8") for file in sip_files(etc))
    section = re.search(r"^\[tls\]\s*$(.*?)(?=^\[|\Z)", text, re.M | re.S)
    return dict(re.findall(r"^(\w+)\s*=\s*([^\s;]+)", section[1], re.M)) if section else {}


def ours(settings: dict[str, str]) -> list[Finding]:
    file = Path(settings.get("cert_file", ""))
    remedy = "renew it, then: asterisk -rx 'core restart gracefully'"
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        return [Finding(f"{file}, the certificate of SIP over TLS, cannot be read: {error}", remedy)]
    return list(expiring(f"the certificate {file} of SIP over TLS", certificate.not_valid_after_utc, remedy))


async def of_carrier(name: str, trunk: Trunk, authorities: str) -> list[Finding]:
    """Connect as Asterisk does."""
    host, port = address_of(trunk)
    remedy = "tell the carrier; `host` is a name in its certificate; TLS_AUTHORITIES has who signed it"
    try:
        context = ssl.create_default_context(cafile=authorities or None)
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError) as error:
        return [Finding(f"trunk {name}: no TLS with {host}:{port}: {error or 'no answer'}", remedy)]
    expires = ssl.cert_time_to_seconds(writer.get_extra_info("peercert")["notAfter"])
    writer.close()
    what = f"the certificate of trunk {name}"
    return list(expiring(what, datetime.fromtimestamp(expires, UTC), "tell the carrier"))


def address_of(trunk: Trunk) -> tuple[str, int]:
    host, port = re.fullmatch(r"(\[.+\]|[^:]+)(?::([0-9]+))?", trunk.host).groups()  # type: ignore[union-attr]
    return host.strip("[]"), int(port or TLS_PORT)


def expiring(what: str, expires: datetime, remedy: str) -> Iterator[Finding]:
    left = expires - datetime.now(UTC)
    if left < timedelta(0):
        yield Finding(f"{what} expired on {expires:%Y-%m-%d}", remedy)
    elif left < SOON:
        yield warning(f"{what} expires on {expires:%Y-%m-%d}", remedy)
