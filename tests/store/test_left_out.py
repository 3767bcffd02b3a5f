"""The mail that a destination is left out: from the journal of a call into the owner's mailbox, once."""

import json
from datetime import timedelta

from dialplan.result import Result
from journal.entries import CallEnded, DestinationLeftOut, Entry
from mailer.outbox import taken
from storage.messages import store
from tests.store.calls import NOON, call_id, revised, start_of
from tests.store.posting import DELIVERY, Transports, office, own
from tests.store.smtp import mail_server

TO = "+3221112233"


def call(n: int) -> list[Entry]:
    deliver = {**DELIVERY, "to": ["office@acme.example"], "path": [TO, "3"]}
    at = NOON + timedelta(seconds=n + 20)
    left_out = DestinationLeftOut(call_id(n), at, TO, 3, deliver)
    return [start_of(n), left_out, CallEnded(call_id(n), at, Result.NO_ANSWER, "engine", 19)]


async def test_it_is_mailed_once_however_often_the_call_is_drained(database: str) -> None:
    async with mail_server() as kept, office(database, Transports({"acme.example": [own(kept)]})) as it:
        async with taken(it.pool) as con:
            for rev in (1, 2):
                await store(con, [revised(call(1), rev)])
            row = await con.fetchrow("SELECT kind, caller, withheld, deliver FROM message")
        assert row is not None
        assert (row["kind"], row["caller"], row["withheld"]) == ("left_out", None, False)
        assert json.loads(row["deliver"])["path"] == [TO, "3"]
        assert await it.round() == 1
        (mail,) = kept.mails
        assert mail.recipients == ("office@acme.example",)
        assert b"2 111 22 33" in mail.content.replace(b"=\r\n", b"").replace(b"\xc2\xa0", b" ")
        assert b"470111222" not in mail.content.replace(b" ", b"")
        assert await it.state(f"{call_id(1)}-out1") == "accepted"
