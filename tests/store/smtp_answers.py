"""What mail servers answer, and which of them each domain has."""

from datetime import timedelta
from email import policy
from email.parser import BytesParser
from itertools import count

from tests.store.posting import Transports, own
from tests.store.smtp import MailServer, Reply

MINUTES = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 240, 240)]


def roads(**servers: MailServer) -> Transports:
    """`acme=server` for acme.example."""
    return Transports({f"{name}.example": [own(kept)] for name, kept in servers.items()})


def first(times: int, verb: str, answer: str) -> Reply:
    """So often this answer to that verb, then the usual."""
    left = count(times, -1)
    return lambda said, _: answer if said == verb and next(left) > 0 else None


def ids(kept: MailServer) -> set[str]:
    read = BytesParser(policy=policy.default).parsebytes
    return {str(read(mail.content)["Message-ID"]) for mail in kept.mails}
