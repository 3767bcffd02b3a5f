"""The rights of each database role: the owner makes the schema, the worker fills it, the reader reads calls,
the portal shows each owner their own rows.

The worker's role has the rights that its work and the operator's commands need, and none that would hide what
was done: it cannot change or delete a line of `tombstone` or `access`, disable a trigger or alter a table.

The portal's role sees only the rows of the owner in the setting `app.owner` (row level security): without it,
none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

WORKER = {
    "public.access": "SELECT, INSERT",
    "public.api_token": "SELECT, INSERT, UPDATE",
    "public.attempt": "SELECT, INSERT",
    "public.audio": "SELECT, INSERT, UPDATE",
    "public.backup": "SELECT, INSERT, UPDATE, DELETE",
    "public.call": "SELECT, INSERT, UPDATE",
    "public.dead_letter": "SELECT, INSERT, UPDATE, DELETE",
    "public.disclosure": "SELECT, INSERT",
    "public.disclosure_export": "SELECT, INSERT",
    "public.disclosure_number": "SELECT, INSERT, UPDATE, DELETE",
    "public.drained": "SELECT, INSERT, UPDATE",
    "public.erased_call": "SELECT, INSERT, DELETE",
    "public.erased_journal": "SELECT, INSERT, UPDATE, DELETE",
    "public.erasure": "SELECT, INSERT, UPDATE",
    "public.erasure_certificate": "SELECT, INSERT",
    "public.journal": "SELECT, INSERT, UPDATE",
    "public.leg": "SELECT, INSERT, UPDATE, DELETE",
    "public.legal_hold": "SELECT, INSERT, UPDATE",
    "public.message": "SELECT, INSERT, UPDATE",
    "public.migration": "SELECT",
    "public.outbox": "SELECT, INSERT, UPDATE",
    "public.owner_address": "SELECT, DELETE",
    "public.owner_change": "SELECT, DELETE",
    "public.owner_notice": "SELECT, INSERT, UPDATE, DELETE",
    "public.owner_switch": "SELECT",
    "public.passkey": "SELECT, DELETE",
    "public.portal_lock": "SELECT, INSERT, DELETE",
    "public.portal_login": "SELECT, INSERT, UPDATE, DELETE",
    "public.portal_session": "SELECT, INSERT, UPDATE, DELETE",
    "public.recording": "SELECT, INSERT, UPDATE",
    "public.retention": "SELECT, INSERT, UPDATE",
    "public.tls_seen": "SELECT, INSERT",
    "public.tombstone": "SELECT, INSERT",
    "keys.audio_key": "SELECT, INSERT, UPDATE, DELETE",
    "keys.epoch": "SELECT, UPDATE, DELETE",
    "keys.group_key": "SELECT, INSERT, UPDATE, DELETE",
    "keys.residue": "SELECT, INSERT, DELETE",
}
WORKER_FUNCTIONS = (
    "keys.epoch_key(bigint)",
    "keys.begin_epoch(bigint)",
    "keys.end_epoch(bigint)",
    "public.rewrite_callers(text)",
    "public.destroy_records(uuid[])",
)
READER = {"public.call": "SELECT", "public.leg": "SELECT"}
PORTAL = {
    "public.access": "SELECT, INSERT",
    "public.api_token": "SELECT, UPDATE (used_at)",
    "public.attempt": "SELECT",
    "public.audio": "SELECT, UPDATE (destroy_after, reason, next_at)",
    "public.call": "SELECT",
    "public.leg": "SELECT",
    "public.legal_hold": "SELECT",
    "public.message": "SELECT, UPDATE (state, why)",
    "public.migration": "SELECT",
    "public.outbox": "SELECT, INSERT, UPDATE (next_at, first_at, lease_until, leased_by, accepted_at, final, "
    "refused_at, bounced_at)",
    "public.owner_address": "SELECT, INSERT, UPDATE, DELETE",
    "public.owner_change": "SELECT, INSERT, UPDATE, DELETE",
    "public.owner_notice": "SELECT, INSERT",
    "public.owner_switch": "SELECT, INSERT",
    "public.passkey": "SELECT, INSERT, UPDATE (sign_count, used_at), DELETE",
    "public.passkey_challenge": "SELECT, INSERT, UPDATE (used_at), DELETE",
    "public.portal_lock": "SELECT",
    "public.portal_login": "SELECT, INSERT, UPDATE, DELETE",
    "public.portal_session": "SELECT, INSERT, UPDATE, DELETE",
    "public.recording": "SELECT",
    "public.tls_seen": "SELECT",
    "public.tombstone": "SELECT",
    "keys.audio_key": "SELECT",
    "keys.epoch": "SELECT",
    "keys.group_key": "SELECT",
}
PORTAL_FUNCTIONS = ("keys.epoch_key(bigint)", "public.owner_of_passkey(bytea)")
OWN = "owner = current_owner()"
OWN_AUDIO = (
    "EXISTS (SELECT FROM audio WHERE audio.audio_id = {table}.audio_id AND audio.owner = current_owner())"
)
OWN_CALL = "EXISTS (SELECT FROM call WHERE call.call_id = {table}.call_id AND call.owner = current_owner())"
OWN_MESSAGE = (
    "EXISTS (SELECT FROM message WHERE message.message_id = {table}.message_id "
    "AND message.owner = current_owner())"
)
# Which rows of a table the portal's role may see and write: every table that has rows of owners is here.
OWN_ROWS = {
    "access": OWN,
    "attempt": OWN_MESSAGE,
    "audio": OWN,
    "call": OWN,
    "leg": OWN_CALL,
    "legal_hold": OWN_AUDIO,
    "message": OWN,
    "outbox": OWN_MESSAGE,
    "owner_address": OWN,
    "owner_change": OWN,
    "owner_notice": OWN,
    "owner_switch": OWN,
    "passkey": OWN,
    "recording": OWN_AUDIO,
    "tombstone": OWN,
    "keys.audio_key": OWN_AUDIO,
}

SCHEMAS = "public, keys"
# The owner needs no grant.
ROLES = (
    "SELECT rolname, quote_ident(rolname) AS quoted FROM pg_roles WHERE rolname = ANY($1) AND rolname <> user"
)

# A policy's comment is the text it was made of: PostgreSQL gives its condition in words of its own.
POLICIES = """
SELECT polrelid::regclass::text AS place, obj_description(oid, 'pg_policy') AS written
FROM pg_policy WHERE polname = 'own_rows'
"""
NOTE_POLICY = "SELECT format('COMMENT ON POLICY own_rows ON %s IS %L', $1::text, $2::text)"


@dataclass(frozen=True, slots=True)
class Roles:
    """Their names. A role that does not exist gets no rights: a small installation has only the owner."""

    worker: str = "callengine_worker"
    reader: str = "callengine_reader"
    portal: str = "callengine_portal"


async def existing(con: asyncpg.Connection, roles: Roles) -> dict[str, str]:
    """The roles that exist, each with its name quoted for SQL."""
    rows = await con.fetch(ROLES, [roles.worker, roles.reader, roles.portal])
    return {row["rolname"]: row["quoted"] for row in rows}


async def grant(con: asyncpg.Connection, roles: Roles) -> None:
    """Grant these roles the rights they need, and revoke all others; in the owner's transaction."""
    quoted = await existing(con, roles)
    if worker := quoted.get(roles.worker):
        await _grant(con, worker, WORKER)
        await con.execute(f"GRANT USAGE ON SCHEMA keys TO {worker}")
        await con.execute(f"GRANT EXECUTE ON FUNCTION {', '.join(WORKER_FUNCTIONS)} TO {worker}")
    if reader := quoted.get(roles.reader):
        await _grant(con, reader, READER)
    if portal := quoted.get(roles.portal):
        await _grant(con, portal, PORTAL)
        await con.execute(f"GRANT USAGE ON SCHEMA keys TO {portal}")
        await con.execute(f"GRANT EXECUTE ON FUNCTION {', '.join(PORTAL_FUNCTIONS)} TO {portal}")
        await _restrict(con, portal)


async def _restrict(con: asyncpg.Connection, role: str) -> None:
    """Limit the role to the rows of one owner. Replaces the policy of an earlier name of the role.

    A policy that stands already stays: to replace it locks its table against every reader.
    """
    before = {row["place"]: row["written"] for row in await con.fetch(POLICIES)}
    for table, condition in OWN_ROWS.items():
        rows = condition.format(table=table)
        written = f"RESTRICTIVE TO {role} USING ({rows})"
        if before.get(table) == written:
            continue
        await con.execute(f"DROP POLICY IF EXISTS own_rows ON {table}")
        await con.execute(f"CREATE POLICY own_rows ON {table} AS {written}")
        await con.execute(await con.fetchval(NOTE_POLICY, table, written))


async def _grant(con: asyncpg.Connection, role: str, tables: Mapping[str, str]) -> None:
    for things in ("TABLES", "SEQUENCES", "FUNCTIONS"):
        await con.execute(f"REVOKE ALL ON ALL {things} IN SCHEMA {SCHEMAS} FROM {role}")
    await con.execute(f"REVOKE ALL ON SCHEMA {SCHEMAS} FROM {role}")
    await con.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
    for table, rights in tables.items():
        await con.execute(f"GRANT {rights} ON {table} TO {role}")
