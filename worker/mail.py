"""The worker's jobs for mail: send it, take reports about it, count messages."""

from collections.abc import Callable

import asyncpg

from config.settings import Settings
from mailer.listener import Listener, ReportRules
from mailer.mail_settings import mail_sender_of, return_addresses_of, terms_of
from mailer.notices import Notices
from mailer.outbox_worker import DeliveryPolicy, FetchWith, OutboxWorker
from mailer.relays import Relays
from storage import message_states
from storage.message_states import MessageState
from worker.job import Job, Work
from worker.metrics import WorkerMetrics

COUNT_SECONDS = 15.0
NOTICES_SECONDS = 5.0
NO_SENDER = "mail.sender is not set: messages wait in the outbox"


class MailJobs:
    """The jobs for mail. Raises SettingsError.

    `fetch` returns the plain audio of a message. `settled` is called when a message may be due to be
    destroyed. `troubles`: why nothing is mailed, or why no reports are taken.
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
            self.jobs.append(OutboxWorker(mail_sender, fetch, terms, policy, self._answered))
            notices = Notices(mail_sender.post, mail_sender.sender, terms.lease, settings.mail.require_tls)
            self.jobs.append(Job("owner notices", notices.send_next, NOTICES_SECONDS))
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

    def _answered(self, result: str) -> None:
        self._metrics.mails.labels(result).inc()
        self._settled()

    async def _count(self, con: asyncpg.Connection) -> bool:
        counts = await message_states.counts(con)
        for state, count in counts.items():
            self._metrics.messages.labels(state).set(count)
        self._waiting = counts[MessageState.WAITING]
        return False
