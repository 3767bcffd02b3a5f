"""Mails that tell an owner's addresses that an address or a passkey was added or removed in the portal.

A row is a promise: the claim writes the time of the next attempt first, and the row goes once a server has
accepted the mail, or refused it for good.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import asyncpg
import structlog

from journal.fault import point
from mailer.answer import Accepted, Refused
from mailer.backoff import STEPS, given_up
from mailer.compose import Sender
from mailer.post import Post
from mailer.smtp import Mail
from mailer.tls import policy_for
from mailer.wording import phrases

CLAIM = """
UPDATE owner_notice SET attempts = attempts + 1,
    next_at = now() + greatest($1, ($2::interval[])[least(attempts + 1, cardinality($2))])
WHERE notice_id = (
    SELECT notice_id FROM owner_notice WHERE next_at <= now() ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING notice_id, recipient, what, address, language, require_tls, created_at, now() - created_at AS age,
    EXISTS (SELECT FROM tls_seen WHERE domain = split_part(lower(recipient), '@', 2)) AS tls_seen
"""
DONE = "DELETE FROM owner_notice WHERE notice_id = $1"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Notice:
    """One such mail. `what`: added, removed, passkey_added or passkey_removed; `address`: the one that was,
    or the name of the passkey."""

    notice_id: int
    recipient: str
    what: str
    address: str
    language: str
    require_tls: bool
    created_at: datetime
    age: timedelta
    tls_seen: bool


class Notices:
    """Sends what is due. `lease`: longer than an attempt. `require_tls`: domains that always need TLS."""

    def __init__(self, post: Post, sender: Sender, lease: timedelta, require_tls: frozenset[str]) -> None:
        self._post = post
        self._sender = sender
        self._lease = lease
        self._require_tls = require_tls

    async def send_next(self, con: asyncpg.Connection) -> bool:
        """Send the mail that has been due for longest; False if none is. Raises asyncpg's errors."""
        row = await con.fetchrow(CLAIM, self._lease, STEPS)
        point("notice.after_claim")
        if row is None:
            return False
        notice = Notice(**row)
        domain = notice.recipient.rpartition("@")[2].lower()
        require = notice.require_tls or domain in self._require_tls
        policy = policy_for(require=require, seen=notice.tls_seen, failures=0, since=timedelta())
        mail = Mail(self._sender.address, notice.recipient, compose(notice, self._sender))
        answer = await self._post.send(mail, policy)
        if isinstance(answer, Accepted | Refused) or given_up(notice.age):
            result = "accepted" if isinstance(answer, Accepted) else "refused"
            point("notice.before_delete")
            await con.execute(DONE, notice.notice_id)
            log.info("owner_notice_settled", result=result, server=answer.server, tls=answer.tls)
        else:
            log.warning("owner_notice_deferred", server=answer.server)
        return True


def compose(notice: Notice, sender: Sender) -> bytes:
    """The mail: text alone. A repeat is the same mail."""
    words = phrases(notice.language)["address"]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(sender.name, addr_spec=sender.address)
    message["To"] = Address(addr_spec=notice.recipient)
    message["Subject"] = words[f"{notice.what}_subject"]
    message["Date"] = format_datetime(notice.created_at)
    message["Message-ID"] = f"<notice-{notice.notice_id}-{notice.created_at:%Y%m%d%H%M%S%f}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses absence notices
    message.set_content(
        words[notice.what].format(address=notice.address, name=notice.address), cte="quoted-printable"
    )
    return message.as_bytes()
