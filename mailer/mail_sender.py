"""Send one message to one recipient: fetch, build, hand over; if it is too big, encode it smaller."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from journal.fault import point
from mailer.answer import Answer, Deferred, Refused, TooBig
from mailer.audio import LADDER, Codec
from mailer.build import build
from mailer.compose import Message, Sender, compose
from mailer.outbox import Claim, Unbuilt
from mailer.post import Post
from mailer.return_address import ReturnAddresses
from mailer.smtp import Mail
from mailer.tls import Level, policy_for

log = structlog.get_logger()

# Returns the WAV of a message. Raises any error of the object store, the key or the audio.
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class MailSender:
    """Sends mails. `require_tls`: domains that always need verified TLS, whatever their owners chose."""

    post: Post
    sender: Sender
    addresses: ReturnAddresses
    require_tls: frozenset[str] = frozenset()

    async def send(self, claim: Claim, fetch: Fetch) -> Answer:
        """Make one attempt and return its result."""
        try:
            message = claim.message()
        except (KeyError, TypeError, ValueError) as error:
            return Unbuilt("", f"the message's row is invalid: {type(error).__name__}", Level.NONE)
        try:
            wav = await fetch(claim.message_id) if message.kind == "voicemail" else None
        except Exception as error:  # noqa: BLE001 - store, key or audio: each may be repaired
            why = f"the message cannot be read: {type(error).__name__}"
            return Deferred("", why, Level.NONE, alarm=True)
        point("mail_sender.after_fetch")
        answer = await self._send(claim, message, wav)
        return await self._refuse_size(claim, message, answer) if isinstance(answer, TooBig) else answer

    async def _send(self, claim: Claim, message: Message, wav: bytes | None) -> Answer:
        codecs: tuple[Codec, ...] = LADDER[message.deliver.audio] if wav else ("wav",)
        answer: Answer = Deferred("", "not tried", Level.NONE)
        for codec in codecs:
            try:
                # Encoding needs a thread; composing text alone is quicker than a change of threads.
                task = (message, wav, codec, self.sender)
                content = await asyncio.to_thread(build, *task) if wav else build(*task)
            except Exception as error:  # noqa: BLE001 - reported as unbuildable, for an operator
                why = f"no mail can be built: {type(error).__name__}"
                return Unbuilt("", why, Level.NONE)
            answer = await self._hand_over(claim, message, content)
            if not isinstance(answer, TooBig):
                break
        return answer

    async def _refuse_size(self, claim: Claim, message: Message, answer: Answer) -> Refused:
        """Even the smallest mail is too big: send a notice, and report the recipient as refusing."""
        notice = await self._hand_over(claim, message, compose(message, None, self.sender))
        log.warning("mail_size_refused", message=claim.message_id, reply=answer.reply, notice=notice.reply)
        return Refused(answer.server, answer.reply, answer.tls, sure=True)

    async def _hand_over(self, claim: Claim, message: Message, content: bytes) -> Answer:
        policy = policy_for(
            require=message.deliver.require_tls or claim.domain in self.require_tls,
            seen=claim.tls_seen,
            failures=claim.failures,
            since=claim.age,
        )
        sender = self.addresses.make(claim.message_id, claim.recipient, self.sender.domain)
        return await self.post.send(Mail(sender, claim.recipient, content), policy)
