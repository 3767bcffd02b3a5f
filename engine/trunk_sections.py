"""The carriers as sections of pjsip.conf: endpoints, where they are reached, logins and registrations."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from config.trunk import Identity, Transport, Trunk
from config.trunks import FIRST, Trunks

HEAD = "; Written by callengine from the files of `trunks`, at each change.\n"
ENDPOINTS = range(10)
INHERITED = ("alaw", "ulaw")  # of the template `leg` in pjsip.conf
# A registration is tried for ever: Asterisk's own default gives up after ten times, and after one refusal.
PERSISTENT = ("retry_interval = 30", "forbidden_retry_interval = 300", "fatal_retry_interval = 300")


def render(trunks: Trunks, passwords: Mapping[str, str], old: str) -> str:
    """The text of the file; "" as long as there is none and no trunk."""
    if not trunks.by_name and not old:
        return ""
    sections = [line for name, trunk in trunks.by_name.items() for line in _trunk(name, trunk, passwords)]
    incoming = [line for n in ENDPOINTS for line in _incoming(n, trunks)]
    return "\n".join([HEAD, *sections, *incoming, ""])


def _trunk(name: str, trunk: Trunk, passwords: Mapping[str, str]) -> Iterator[str]:
    yield from _endpoints(name, trunk)
    yield f"[{place(name, trunk)}]"
    yield "type = aor"
    if trunk.sip_domain:
        yield f"contact = sip:{trunk.sip_domain}"
        yield f"outbound_proxy = {proxy(trunk)}"  # of OPTIONS; that of INVITE is the endpoint's
    else:
        yield f"contact = {contact(trunk)}"
    yield f"qualify_frequency = {trunk.qualify_seconds}"
    if trunk.user:
        yield from _login(name, trunk, passwords.get(name, ""))


def place(name: str, trunk: Trunk) -> str:
    """The name of a carrier's aor: another one for each contact.

    Asterisk sends OPTIONS at once to the contact of a new aor, but to a new contact of a known aor only at
    its next turn; until then calls to a dead host wait. And the aor in pjsip.conf would keep its contact.
    """
    return f"{name}_{sha256(contact(trunk).encode()).hexdigest()[:8]}"


def _endpoints(name: str, trunk: Trunk) -> Iterator[str]:
    """Ten of them, and one without a digit, which is the fallback's."""
    settings = list(_settings(name, trunk))
    every = [f"{name}{n}" for n in ("", *ENDPOINTS)]
    if name == FIRST:  # pjsip.conf has them: these lines replace its settings
        for endpoint in every:
            yield f"[{endpoint}](+type=endpoint)"
            yield from settings
        return
    yield f"[{name}_all](!,out)"
    yield from settings
    yield from (f"[{endpoint}]({name}_all)" for endpoint in every)


def _settings(name: str, trunk: Trunk) -> Iterator[str]:
    yield f"aors = {place(name, trunk)}"
    yield f"transport = {trunk.socket}"
    yield "disallow = all"
    yield f"allow = {','.join(trunk.codecs)}"
    yield f"media_encryption = {'sdes' if trunk.srtp else 'no'}"
    yield f"rtp_timeout = {trunk.rtp_timeout}"
    yield f"dtmf_mode = {trunk.dtmf}"
    yield f"set_var = GROUP(carrier)={name}"  # counted against `calls` in extensions.conf
    if trunk.sip_domain:
        yield f"outbound_proxy = {proxy(trunk)}"
        yield f"set_var = SIP_DOMAIN={trunk.sip_domain}"  # of the address that a leg dials: carriers.conf
    if trunk.ipv6:
        yield "rtp_ipv6 = yes"
    if trunk.nat:
        yield from _behind_nat()
    if trunk.domain:
        yield f"from_domain = {trunk.domain}"
    if trunk.user:
        yield f"outbound_auth = {name}"
    if trunk.identity is Identity.ASSERTED and trunk.identity_number is None:
        yield "send_pai = yes"  # with trust_id_outbound = no, never of a withheld caller


def _behind_nat() -> Iterator[str]:
    yield "rtp_symmetric = yes"
    yield "force_rport = yes"
    yield "rewrite_contact = yes"


def _incoming(n: int, trunks: Trunks) -> Iterator[str]:
    """What an endpoint of incoming calls takes: pjsip.conf chooses it by the Call-ID, not by the carrier."""
    every = trunks.by_name.values()
    lines = [f"permit = {address}" for trunk in every for address in trunk.addresses]
    more = dict.fromkeys(codec for trunk in every for codec in trunk.codecs if codec not in INHERITED)
    if more:
        lines.append(f"allow = {','.join(more)}")
    if any(trunk.srtp for trunk in every):
        lines += ["media_encryption = sdes", "media_encryption_optimistic = yes"]
    if any(trunk.nat for trunk in every):
        lines += _behind_nat()
    if lines:
        yield f"[from{n}](+type=endpoint)"
        yield from lines


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
        yield f"client_uri = {client_uri(trunk)}"
        yield f"contact_user = {trunk.contact or trunk.user}"
        yield f"transport = {trunk.socket}"
        yield from PERSISTENT
        yield "auth_rejection_permanent = no"
        yield "max_retries = 4294967295"


def client_uri(trunk: Trunk) -> str:
    """The SIP URI that is registered at the carrier."""
    return contact(trunk).replace("sip:", f"sip:{trunk.user}@", 1)


def proxy(trunk: Trunk) -> str:
    """Where requests to the addresses of a domain are sent, whatever DNS says. `hide`: without a Route."""
    return f"{contact(trunk)}\\;lr\\;hide"


def contact(trunk: Trunk) -> str:
    """The SIP URI of the carrier."""
    parameter = "" if trunk.transport is Transport.UDP else f"\\;transport={trunk.transport}"
    return f"sip:{trunk.host}{parameter}"
