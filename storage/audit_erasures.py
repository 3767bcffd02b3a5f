"""The audit of erased callers: their certificates, and that no number of theirs has come back."""

from collections.abc import AsyncIterator

import asyncpg

from storage import certificates
from storage.erased_number import NumberKeys, e164
from storage.finding import Finding, Rule

RULES = (
    Rule(
        "erasure",
        """SELECT erasure_id FROM erasure
           WHERE finished_at IS NULL AND certified IS NULL AND asked_at < now() - interval '3 days'""",
        "erasure {} is not finished after three days",
        "callengine forget --status says what it waits for",
    ),
    Rule(
        "erasure",
        """SELECT erasure_id FROM erasure
           WHERE (finished_at IS NOT NULL OR certified IS NOT NULL) AND NOT EXISTS (
               SELECT FROM erasure_certificate WHERE erasure_certificate.erasure_id = erasure.erasure_id)""",
        "erasure {} is marked as certified, but has no certificate",
        "somebody has changed the database: check who has the right to",
    ),
)
DISCLOSURES = Rule(
    "disclosure",
    """SELECT disclosure_id FROM disclosure_export LEFT JOIN access
       ON what = 'disclose' AND starts_with(detail, 'disclosure ' || disclosure_id || ':')
       WHERE seq IS NULL""",
    "the export of disclosure {} is not in the access log",
    "somebody has changed the database: check who has the right to",
)
ERASED = "SELECT seq, caller_hash, until FROM erasure_certificate ORDER BY until"
# Calls that a certificate names as held keep their number.
CALLERS = """
SELECT caller, min(began) AS began FROM call WHERE caller IS NOT NULL
    AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = call.call_id AND hold IS NOT NULL)
GROUP BY caller
UNION ALL
SELECT caller, min(began) FROM message WHERE caller IS NOT NULL
    AND NOT EXISTS (SELECT FROM audio WHERE audio.call_id = message.call_id AND hold IS NOT NULL)
GROUP BY caller
"""


async def findings(con: asyncpg.Connection, keys: NumberKeys | None) -> AsyncIterator[Finding]:
    """All findings about erasures. `keys` None: do not check whether a number has come back."""
    if broken := await certificates.broken(con):
        yield Finding("chain", broken, "somebody has changed the database: check who has the right to")
    erased = {row["caller_hash"]: row for row in await con.fetch(ERASED)}
    if keys is None or not erased:
        return
    reported = set()
    for row in await con.fetch(CALLERS):
        number = e164(row["caller"])
        for certificate in filter(None, map(erased.get, keys.hashes(number))):
            if row["began"] <= certificate["until"] and certificate["seq"] not in reported:
                reported.add(certificate["seq"])
                yield Finding(
                    "erasure",
                    f"the number of certificate {certificate['seq']} is in a record of before",
                    "a copy of the database or of a journal was restored: callengine forget it again",
                )
