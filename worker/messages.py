"""What the worker does for messages: it mails them, hears what comes back, and counts them."""

import socket
from collections.abc import Callable
from datetime import timedelta

import asyncpg
import structlog

from config.mail import Mail
from config.settings import Settings, SettingsError
from mailer.compose import Sender
from mailer.listener import Listener, ReportRules
from mailer.mail_sender import MailSender
from mailer.mx import Exchangers
from mailer.outbox import Terms
from mailer.outbox_worker import DeliveryPolicy, FetchWith, OutboxWorker
from mailer.post import Direct, Post, Smarthost, Transport
from mailer.relays import Relays
from mailer.return_address import ReturnAddresses
from mailer.sessions import Sessions
from mailer.smtp import Login, Server, SmtpIdentity
from mailer.tls import verifying
from storage.key_wrapper import MasterKeyError, derive, new_key
from worker.job import Job, Work
from worker.metrics import WorkerMetrics

COUNT_SECONDS = 15.0
# Over an attempt's longest time, so that nobody else begins what has not ended: 20 minutes over 15.
LEASE = 4 / 3
TLS_AT_ONCE = 465
NO_SENDER = "mail.sender is not set: messages wait in the outbox"
log = structlog.get_logger()

COUNT = "SELECT state, count(*) FROM message WHERE state <> 'destroyed' GROUP BY state"


class Posting:
    """The worker's jobs for messages. Raises SettingsError.

    `fetch`: a message's sound; `settled` is called when a message may have come to its end; `troubles`: why
    nothing is mailed, or nothing heard of what comes back.
    """

    def __init__(
        self, settings: Settings, metrics: WorkerMetrics, fetch: FetchWith, settled: Callable[[], None]
    ) -> None:
        self._metrics = metrics
        self._settled = settled
        self._waiting = 0
        self._sender = settings.mail.sender
        self._listener: Listener | None = None
        terms, addresses = terms_of(settings), return_addresses_of(settings)
        self.jobs: list[Work] = [Job("count mail", self._count, COUNT_SECONDS)]
        if self._sender:
            policy = DeliveryPolicy(
                settings.mail.workers, settings.mail.per_domain, float(settings.mail.deadline_seconds)
            )
            mail_sender = mail_sender_of(settings.mail, addresses)
            self.jobs.append(OutboxWorker(mail_sender, fetch, terms, policy, self._told))
        if settings.mail.bounces_port is not None:
            place = (settings.mail.bounces_host, settings.mail.bounces_port)
            relays = Relays(settings.mail.bounces_trusted, terms.smarthost)
            self._listener = Listener(*place, ReportRules(addresses, relays, terms), settled)
            self.jobs.append(self._listener)

    @property
    def troubles(self) -> list[str]:
        troubles = [NO_SENDER] if self._waiting and not self._sender else []
        return [*troubles, *self._listener.troubles] if self._listener else troubles

    def wake(self) -> None:
        """There may be something in the outbox."""
        for job in self.jobs:
            job.wake()

    def _told(self, result: str) -> None:
        self._metrics.mails.labels(result).inc()
        self._settled()

    async def _count(self, con: asyncpg.Connection) -> bool:
        counted = {row["state"]: row["count"] for row in await con.fetch(COUNT)}
        for state in ("recorded", "waiting", "accepted", "bounced", "undeliverable", "absent"):
            self._metrics.messages.labels(state).set(counted.get(state, 0))
        self._waiting = counted.get("waiting", 0)
        return False


def terms_of(settings: Settings) -> Terms:
    mail = settings.mail
    return Terms(
        node=settings.node,
        lease=timedelta(seconds=mail.deadline_seconds * LEASE),
        window=timedelta(hours=mail.bounce_window_hours),
        kept=timedelta(days=mail.keep_undeliverable_days),
        smarthost=mail.smarthost or None,
    )


def return_addresses_of(settings: Settings) -> ReturnAddresses:
    """Signed by a key derived from the master key: every worker of a database has it, and nobody else.

    Without a master key only missed calls are mailed; a report about one counts until the worker restarts.
    Raises SettingsError when the master key is not one.
    """
    text = settings.master_key.get_secret_value()
    try:
        return ReturnAddresses(derive(text, "return address") if text else [new_key()])
    except MasterKeyError as wrong:
        raise SettingsError([f"master_key: {wrong}"]) from None


def mail_sender_of(mail: Mail, addresses: ReturnAddresses) -> MailSender:
    """Raises SettingsError when the authorities cannot be read."""
    try:
        identity = SmtpIdentity(mail.hello or socket.getfqdn(), verifying(mail.authorities))
    except OSError as wrong:  # ssl.SSLError is one
        raise SettingsError([f"mail.authorities: {mail.authorities}: {wrong}"]) from None
    sender = Sender(mail.sender, mail.sender_name)
    return MailSender(Post(transport_of(mail), Sessions(identity)), sender, addresses, mail.require_tls)


def transport_of(mail: Mail) -> Transport:
    if not mail.smarthost:
        return Direct(Exchangers(), mail.port)
    login = Login(mail.user, mail.password) if mail.user else None
    return Smarthost(Server(mail.smarthost, mail.port, login, implicit=mail.port == TLS_AT_ONCE))
