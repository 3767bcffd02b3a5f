"""The further carriers for Asterisk: `trunks.conf`, which pjsip.conf includes, and the order of trunks."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import structlog

from config.errors import ConfigErrors
from config.trunks import Transport, Trunk, Trunks, load_trunks
from engine.ari.client import Client
from engine.ari.errors import AriError
from engine.included import IncludedFile

log = structlog.get_logger()

NAME = "trunks.conf"
RELOADED_BY = "res_pjsip.so"
HEAD = "; Written by callengine from the files of `trunks` at its start.\n"
FIRST = "trunk"  # that of pjsip.conf itself
ENDPOINTS = range(10)


class TrunkFile:
    """The file in Asterisk's configuration folder `etc`. No `etc`: no file."""

    def __init__(self, etc: Path | None, client: Client, passwords: Mapping[str, str]) -> None:
        self._file = IncludedFile(etc / NAME, RELOADED_BY, client, mode=0o640) if etc else None
        self._passwords = passwords

    async def publish(self, trunks: Trunks) -> None:
        """Give Asterisk the carriers. If that fails, the former ones stay."""
        if self._file is None:
            if trunks.names:
                log.warning("trunks_not_published", error="asterisk.etc_dir is not set")
            return
        try:
            await self._file.publish(lambda old: render(trunks, self._passwords, old))
        except (OSError, AriError) as error:
            log.warning("trunks_not_published", error=str(error))


def read_trunks(folder: Path | None) -> Trunks | None:
    """The trunks of this folder; None if a file is wrong: then Asterisk keeps the former ones."""
    try:
        return load_trunks(folder)
    except ConfigErrors as errors:
        for error in errors.errors:
            log.error("trunk_refused", error=str(error))  # noqa: TRY400 - each is a whole sentence
        return None


def order(trunks: Trunks) -> dict[str, str]:
    """Which trunk is tried after which: that of pjsip.conf is the first one."""
    names = (FIRST, *trunks.names)
    return dict(pairwise(names))


def render(trunks: Trunks, passwords: Mapping[str, str], old: str) -> str:
    """The text of the file; "" as long as there is none and no trunk."""
    if not trunks.names and not old:
        return ""
    sections = [line for name, trunk in trunks.by_name.items() for line in _lines(name, trunk, passwords)]
    return "\n".join([HEAD, *sections, ""])


def _lines(name: str, trunk: Trunk, passwords: Mapping[str, str]) -> Iterator[str]:
    yield f"[{name}_all](!,out)"
    yield f"aors = {name}"
    yield f"transport = {trunk.transport}"
    yield "disallow = all"
    yield f"allow = {','.join(trunk.codecs)}"
    yield f"media_encryption = {'sdes' if trunk.srtp else 'no'}"
    yield f"rtp_timeout = {trunk.rtp_timeout}"
    if trunk.user:
        yield f"outbound_auth = {name}"
    yield from (f"[{name}{n}]({name}_all)" for n in ("", *ENDPOINTS))  # without a digit: the fallback's
    yield f"[{name}]"
    yield "type = aor"
    yield f"contact = {contact(trunk)}"
    yield f"qualify_frequency = {trunk.qualify_seconds}"
    if trunk.user:
        yield from _login(name, trunk, passwords.get(name, ""))
    for address in trunk.addresses:  # of whatever Call-ID: pjsip.conf chooses the endpoint by that
        for n in ENDPOINTS:
            yield f"[from{n}](+type=endpoint)"
            yield f"permit = {address}"


def _login(name: str, trunk: Trunk, password: str) -> Iterator[str]:
    yield f"[{name}]"
    yield "type = auth"
    yield "auth_type = userpass"
    yield f"username = {trunk.user}"
    yield f"password = {password}"
    if trunk.registration:
        yield f"[{name}]"
        yield "type = registration"
        yield f"outbound_auth = {name}"
        yield f"server_uri = {contact(trunk)}"
        yield f"client_uri = {contact(trunk).replace('sip:', f'sip:{trunk.user}@', 1)}"
        yield f"transport = {trunk.transport}"


def contact(trunk: Trunk) -> str:
    """The SIP URI of the carrier."""
    parameter = "" if trunk.transport is Transport.UDP else f"\\;transport={trunk.transport}"
    return f"sip:{trunk.host}{parameter}"
