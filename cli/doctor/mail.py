"""Mail: the sender's domain accepts bounces, receivers accept the sender, and the server offers TLS."""

import ipaddress
import socket

import dns.reversename

from cli.doctor.finding import Finding, warning
from cli.doctor.scene import Scene
from config.mail import Mail
from mailer.smtp import NoSession, Server, Session, SmtpIdentity
from mailer.tls import Policy, verifying

IMPLICIT_TLS = 465


async def sender(scene: Scene) -> list[Finding]:
    """A sender is set, and returned mail is received."""
    mail = scene.settings.mail
    if not mail.sender:
        return [Finding("mail.sender is not set: messages wait", "sender in [mail]")]
    if mail.smarthost and mail.bounces_port is None:
        what = "mail.bounces_port is not set: a message whose mail bounces is lost after the bounce window"
        return [warning(what, "have mail for vm+... delivered to bounces_port (docs/operating.md, Mail)")]
    return []


async def mx(scene: Scene) -> list[Finding]:
    """The sender's domain accepts mail: bounces go there."""
    domain = domain_of(scene.settings.mail)
    if not domain or await scene.resolve(domain, "MX") or await scene.resolve(domain, "A"):
        return []
    return [
        Finding(f"{domain} has neither MX nor A: nobody accepts its mail, nor its bounces", "an MX record")
    ]


async def spf(scene: Scene) -> list[Finding]:
    """The sender's domain says who may send its mail."""
    domain = domain_of(scene.settings.mail)
    if not domain or any("v=spf1" in text for text in await scene.resolve(domain, "TXT")):
        return []
    what = f"{domain} has no SPF record: many servers reject its mail, or treat it as spam"
    return [warning(what, 'a TXT record "v=spf1 ... -all" with the address that sends')]


async def reverse(scene: Scene) -> list[Finding]:
    """Without a smarthost, the name in EHLO and the address belong together."""
    mail = scene.settings.mail
    if not mail.sender or mail.smarthost:
        return []
    name = mail.hello or socket.getfqdn()
    addresses = await scene.resolve(name, "A")
    if not addresses:
        return [Finding(f"{name}, the name in EHLO, has no address", "an A record, or hello in [mail]")]
    names = await scene.resolve(str(dns.reversename.from_address(addresses[0])), "PTR")
    if name.lower() in {found.rstrip(".").lower() for found in names}:
        return []
    return [
        warning(
            f"the reverse name of {addresses[0]} is not {name}",
            "a PTR record, at the provider of the address",
        )
    ]


async def smarthost(scene: Scene) -> list[Finding]:
    """The smarthost takes mail, over TLS with a certificate for its name."""
    mail = scene.settings.mail
    if not mail.smarthost:
        return []
    server = Server(mail.smarthost, mail.port, implicit=mail.port == IMPLICIT_TLS)
    identity = SmtpIdentity(mail.hello or socket.getfqdn(), verifying(mail.authorities))
    try:
        await (await Session.open(server, Policy.OPPORTUNISTIC, identity)).quit()
    except NoSession as refused:
        return [
            Finding(
                f"{mail.smarthost}:{mail.port} takes no mail: {refused}",
                "smarthost and port in [mail]; a firewall?",
            )
        ]
    if is_loopback(mail.smarthost):
        return []
    try:
        await (await Session.open(server, Policy.VERIFIED, identity)).quit()
    except NoSession as refused:
        what = f"{mail.smarthost}:{mail.port} has no TLS that proves its name: {refused}"
        return [
            warning(what, "STARTTLS there, with a certificate; authorities in [mail] for one of your own")
        ]
    return []


def domain_of(mail: Mail) -> str:
    return mail.sender.rpartition("@")[2]


def is_loopback(host: str) -> bool:
    """Whether mail to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
