"""A way in for the call of a quickstart: Asterisk may call itself, by SIP, as long as the call lasts.

pjsip.conf includes the file. It admits this host's own address on the endpoints of the carrier, and has an
endpoint whose contact is this Asterisk. So the call passes transport, access list, endpoint and dialplan as
the carrier's calls do; only the carrier and the network in between are missing.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from engine.ari.client import Client
from engine.trunk_files import RELOADED_BY
from engine.trunk_sections import ENDPOINTS

NAME = "quickstart.conf"
ENDPOINT = "quickstart"
HEAD = "; Written by callengine quickstart for its test call, and removed after it."


def text_of(sip: str) -> str:
    """`sip`: HOST:PORT where this Asterisk listens."""
    host = sip.rpartition(":")[0]
    permitted = [line for n in ENDPOINTS for line in (f"[from{n}](+type=endpoint)", f"permit = {host}")]
    endpoint = ["type = endpoint", "transport = udp", "context = refused", "disallow = all", "allow = alaw"]
    aor = ["type = aor", f"contact = sip:{sip}"]
    own = [f"[{ENDPOINT}]", *endpoint, f"aors = {ENDPOINT}", f"[{ENDPOINT}]", *aor]
    return "\n".join([HEAD, *permitted, *own, ""])


@asynccontextmanager
async def way_in(folder: Path, client: Client, sip: str) -> AsyncIterator[str]:
    """The channel by which to dial a {number}, while the block runs. Raises AriError, OSError."""
    file = folder / NAME
    write(file, text_of(sip))
    try:
        await client.asterisk.reload_module(RELOADED_BY)
        yield f"PJSIP/{{number}}@{ENDPOINT}"
    finally:
        file.unlink(missing_ok=True)
        await client.asterisk.reload_module(RELOADED_BY)


def write(file: Path, text: str) -> None:
    """Whole, and readable by the group that the folder gives it: Asterisk's."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o640)
        out.write(text)
    draft.replace(file)
