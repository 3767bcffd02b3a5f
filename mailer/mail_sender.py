"""One mail to one recipient: read, built, handed over; the next smaller one if it is too big."""

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

# The WAV of a message. Raises whatever is wrong with it, or with the place where it lies.
Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class MailSender:
    """Brings mails. `require_tls`: domains that must prove who they are, besides what owners wish."""

    post: Post
    sender: Sender
    addresses: ReturnAddresses
    require_tls: frozenset[str] = frozenset()

    async def bring(self, claim: Claim, fetch: Fetch) -> Answer:
        """Make one attempt; what came of it."""
        try:
            message = claim.message()
        except (KeyError, TypeError, ValueError) as error:
            return Unbuilt("", f"the message is none: {type(error).__name__}", Level.NONE)
        try:
            wav = await fetch(claim.message_id) if message.kind == "voicemail" else None
        except Exception as error:  # noqa: BLE001 - the store, the key, the sound: any of them may be mended
            why = f"the message cannot be read: {type(error).__name__}"
            return Deferred("", why, Level.NONE, alarm=True)
        point("mail_sender.after_fetch")
        answer = await self._bring(claim, message, wav)
        return await self._too_big(claim, message, answer) if isinstance(answer, TooBig) else answer

    async def _bring(self, claim: Claim, message: Message, wav: bytes | None) -> Answer:
        codecs: tuple[Codec, ...] = LADDER[message.deliver.audio] if wav else ("wav",)
        answer: Answer = Deferred("", "not tried", Level.NONE)
        for codec in codecs:
            try:
                # Encoding is work for another thread; words alone are not worth the way there.
                task = (message, wav, codec, self.sender)
                content = await asyncio.to_thread(build, *task) if wav else build(*task)
            except Exception as error:  # noqa: BLE001 - not even a plain one: that is told, and seen to
                why = f"no mail can be built of it: {type(error).__name__}"
                return Unbuilt("", why, Level.NONE)
            answer = await self._hand_over(claim, message, content)
            if not isinstance(answer, TooBig):
                break
        return answer

    async def _too_big(self, claim: Claim, message: Message, answer: Answer) -> Refused:
        """Not even the smallest will do: the recipient is told that there is one, and it goes its way on."""
        told = await self._hand_over(claim, message, compose(message, None, self.sender))
        log.warning("message too big for its mailbox", message=claim.message_id, told=told.reply)
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
