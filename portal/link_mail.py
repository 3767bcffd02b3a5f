"""The mail with a link, for a login or for a new address: composed, and sent in the background, so that no
answer tells whether an address is known. The link is in no log, no table and no spool: a portal that is
stopped forgets it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

import structlog

from mailer.answer import Accepted, Refused
from mailer.compose import Sender
from mailer.post import Post
from mailer.smtp import Mail
from mailer.tls import policy_for
from portal.texts import texts

PAUSES = (0.0, 5.0, 20.0, 60.0, 180.0, 300.0)  # s before each attempt; the link lives for 15 minutes
ATTEMPT_SECONDS = 60.0
MOST = 100  # mails at the same time: more are not sent, and the owner asks again
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LinkMail:
    """`to`: an address of an owner. `require_tls`: the owner wants no mail without it. `text`: its words, a
    section of `texts/`; `owner`: the name of the owner in them."""

    to: str
    url: str
    language: str
    title: str
    require_tls: bool = False
    tls_seen: bool = False
    text: str = "mail"
    owner: str = ""


class LinkMailer:
    """Sends links. `require_tls`: domains that always need verified TLS."""

    def __init__(self, post: Post, sender: Sender, require_tls: frozenset[str] = frozenset()) -> None:
        self._post = post
        self._sender = sender
        self._require_tls = require_tls
        self._sending: set[asyncio.Task[None]] = set()

    def send(self, mail: LinkMail) -> None:
        """Send it in the background."""
        if len(self._sending) >= MOST:
            log.warning("portal_link_dropped", sending=len(self._sending))
            return
        task = asyncio.create_task(self._send(mail))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._post.sessions.close()

    async def _send(self, mail: LinkMail) -> None:
        domain = mail.to.rpartition("@")[2].lower()
        require = mail.require_tls or domain in self._require_tls
        policy = policy_for(require=require, seen=mail.tls_seen, failures=0, since=timedelta())
        content = compose(mail, self._sender, lambda: datetime.now(UTC))
        for pause in PAUSES:
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    answer = await self._post.send(Mail(self._sender.address, mail.to, content), policy)
            except Exception as error:  # noqa: BLE001 - no mail ends the portal
                log.warning("portal_link_deferred", error=type(error).__name__)
                continue
            if isinstance(answer, Accepted):
                log.info("portal_link_mailed", server=answer.server, tls=answer.tls)
                return
            if isinstance(answer, Refused):
                log.warning("portal_link_refused", server=answer.server)
                return
            log.warning("portal_link_deferred", error="Deferred")
        log.error("portal_link_given_up", attempts=len(PAUSES))


def compose(mail: LinkMail, sender: Sender, now: Callable[[], datetime]) -> bytes:
    """The mail: text alone, so that the whole address can be seen before it is followed."""
    words = texts(mail.language)[mail.text]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(mail.title, addr_spec=sender.address)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = words["subject"].format(title=mail.title)
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid(domain=sender.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses absence notices
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(
        words["body"].format(url=mail.url, title=mail.title, owner=mail.owner), cte="quoted-printable"
    )
    return message.as_bytes()
