"""Every external effect of engine, journal, storage, mailer and worker has a failpoint, or a reason not to.

A failpoint is where the fault tests kill: an effect without one is a moment that no test has looked at.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.faults.columns import HELD_PHASES
from tests.store.points import all_points
from tests.unit.effects import effects_in, effects_without_point

IN_THE_CALLERS_TRANSACTION = "statements of a transaction that its caller opens, with points around it"
# Why a function with an effect needs no failpoint of its own.
ALLOWED: Mapping[str, Sequence[str]] = {
    IN_THE_CALLERS_TRANSACTION: (
        "storage/audio_states.py: add",
        "storage/audio_states.py: add_orphan",
        "storage/audio_states.py: declare_absent",
        "storage/audio_states.py: destroy",
        "storage/audio_states.py: restore_destroyed",
        "storage/audio_states.py: shred",
        "storage/audio_states.py: store",
        "storage/calls.py: store",
        "storage/certificates.py: add",
        "storage/dead_letters.py: add",
        "storage/dead_letters.py: remove",
        "storage/destruction.py: cancel_destruction",
        "storage/destruction.py: schedule_destruction",
        "storage/journal_position.py: mark",
        "storage/keyring.py: hold_epoch",
        "storage/keyring.py: new_group",
        "storage/message_states.py: _move",
        "storage/message_states.py: add",
        "storage/message_states.py: add_missed",
        "storage/message_states.py: destroyed",
        "storage/message_states.py: without_address",
        "storage/messages.py: post",
        "storage/owned/settings.py: notify",
        "storage/owned/settings.py: put",
        "storage/owned/settings.py: use_address",
        "storage/messages.py: stored",
        "storage/recordings.py: store",
        "storage/rotation.py: move",
        "storage/tombstones.py: add",
        "mailer/settling.py: _to_second",
    ),
    "a lease or a pause given back: without that it ends by itself": (
        "storage/destruction.py: Destroyer.shred_next",
        "storage/lease.py: release",
        "storage/lease.py: release_all",
        "mailer/outbox.py: give_lost_back",
        "mailer/outbox.py: give_back",
    ),
    "one statement, repeated at the next attempt or the next look": (
        "storage/api_tokens.py: find",
        "storage/journal_position.py: store_head",
        "storage/recordings.py: store_measurements",
        "storage/retentions.py: shorten",
        "storage/retentions.py: store",
        "storage/rotation.py: switch_wal",
    ),
    "a statement or transaction of an operator's command: complete or not at all, as the operator sees": (
        "storage/access.py: add",
        "storage/api_tokens.py: create",
        "storage/api_tokens.py: revoke",
        "storage/disclosures.py: _log",
        "storage/disclosures.py: ask",
        "storage/disclosures.py: export",
        "storage/erasure_request.py: ask",
        "storage/export_cursor.py: ExportCursor.write",
        "storage/grants.py: _grant",
        "storage/grants.py: _restrict",
        "storage/grants.py: grant",
        "storage/backup/archive.py: written",
        "storage/backup/erasures.py: repeat",
        "storage/backup/own_key.py: make",
        "storage/backup/own_key.py: revoke_older",
        "storage/backup/restoration.py: destroy_again",
        "storage/backup/restoration.py: hold_again",
        "storage/backup/restoration.py: restore",
        "storage/backup/snapshot.py: make",
        "storage/backup/snapshot.py: write",
        "storage/migrate.py: _apply",
        "storage/migrate.py: _migrate",
        "storage/recordings.py: destroy",
        "storage/owner_changes.py: reset",
        "storage/owner_locks.py: lock",
        "storage/owner_locks.py: unlock",
        "storage/owner_passkeys.py: remove_all",
        "storage/recordings.py: hold",
        "storage/recordings.py: release",
        "mailer/overview.py: release",
        "mailer/overview.py: _send_again",
        "mailer/overview.py: retry",
    ),
    "a login, or a form of an owner: one transaction; after a kill the owner does it again": (
        "storage/owned/logins.py: add_link",
        "storage/owned/logins.py: begin_session",
        "storage/owned/logins.py: end_session",
        "storage/owned/logins.py: end_sessions_of",
        "storage/owned/logins.py: find_session",
        "storage/owned/logins.py: request_link",
        "storage/owned/logins.py: sweep",
        "storage/owned/logins.py: use_link",
        "storage/owned/passkeys.py: add",
        "storage/owned/passkeys.py: mark_used",
        "storage/owned/passkeys.py: remove",
        "storage/owned/passkeys.py: remove_of",
        "storage/owned/passkeys.py: request_challenge",
        "storage/owned/passkeys.py: sweep",
        "storage/owned/passkeys.py: take_challenge",
        "storage/owned/settings.py: alone",
        "storage/owned/settings.py: request_address",
        "storage/owned/settings.py: withdraw",
        "storage/owned/switches.py: put",
    ),
    "its callers have points on either side": (
        "journal/disk.py: _sync",
        "journal/segment.py: Segment.append",
        "journal/segment.py: Segment.sync",
        "storage/objects/s3.py: S3._delete",
        "storage/sealing.py: Sealer._take_back",
        "storage/spool.py: Spool._read",
        "storage/spool.py: Spool.read_parts",
    ),
    "cut at every byte and killed at random instead: test_journal_faults, _killed, test_recovery": (
        "journal/segment.py: Segment.create",
        "journal/segment.py: Segment.finish",
        "journal/segment.py: cut_zeros",
        "journal/identity.py: _make",
        "journal/recovery.py: recover",
        "journal/reserve.py: Reserve.fill",
        "journal/reserve.py: Reserve.use",
        "journal/folder.py: JournalFolder.give_up",
    ),
    "a hint for the next process: without it a little is counted or read twice, or a clock is trusted": (
        "engine/ari/seen.py: save",
        "engine/counters.py: save",
        "worker/trusted_time.py: TrustedTime._save",
    ),
    "headroom on the disk, a socket's name, a folder's mark: made again at the next look or start": (
        "engine/ari/cel_file.py: CelFiles._remove_old",
        "engine/ari/cel_room.py: CelRoom.rotate",
        "engine/ari/cel_room.py: _make",
        "engine/ari/cel_room.py: create",
        "engine/ari/cel_room.py: give_back",
        "engine/ari/cel_room.py: replace",
        "engine/control.py: keep_controlling",
        "storage/same_folder.py: another",
    ),
    "an operator's command to the engine: done or not, as the operator sees": (
        "engine/drain.py: Drain.turn",
        "engine/pins.py: _replace",
    ),
    "a copy for a person to look at, or a file that is no longer needed: left half done, it is repeated": (
        "journal/follower.py: copy_damaged",
        "journal/follower.py: sweep",
        "storage/objects/directory.py: Directory._try",
    ),
}


def test_every_effect_has_a_failpoint_beside_it_or_a_reason() -> None:
    allowed = {where for places in ALLOWED.values() for where in places}
    bare = {where: sorted(what) for where, what in effects_without_point().items() if where not in allowed}
    assert bare == {}, "write point(...) beside it, and kill there in tests/store/test_failpoints.py"


def test_no_reason_is_left_of_an_effect_that_is_gone() -> None:
    allowed = [where for places in ALLOWED.values() for where in places]
    assert sorted(set(allowed) - set(effects_without_point())) == []
    assert [where for where, times in Counter(allowed).items() if times > 1] == []


def test_each_failpoint_is_at_one_place_and_each_held_phase_is_one() -> None:
    points = all_points()
    assert [name for name, times in Counter(points).items() if times > 1] == []
    assert {phase.failpoint for phase in HELD_PHASES} <= set(points)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("os.fsync(fd)", {"fsync"}),
        ("draft.replace(place)", {"replace"}),
        ("draft.rename(place)", {"rename"}),
        ("text.replace('a', 'b')", set()),
        ("at.replace(tzinfo=UTC)", set()),
        ("await self.objects.put(name, data)", {"object put"}),
        ("self._queue.put(1)", set()),
        ("self._ask('delete_object', Key=name)", {"delete_object"}),
        ("self._ask('get_object', Key=name)", set()),
        ("await self._client.data(content)", {"SMTP data"}),
        ("async with con.transaction():\n        pass", {"transaction"}),
        ("async with con.transaction(readonly=True):\n        pass", set()),
        ("await con.execute(ADD)", {"SQL"}),
        ("await con.fetchrow('UPDATE audio SET a = 1')", {"SQL"}),
        ("await con.fetch(ASK)", set()),
        ("os.fsync(fd)\n    point('x')", set()),
    ],
)
def test_an_effect_is_known_by_its_syntax(tmp_path: Path, body: str, found: set[str]) -> None:
    sql = 'ADD = "INSERT INTO call VALUES (1)"\nASK = "SELECT updated FROM call"\n'
    source = f"{sql}async def work(con):\n    {body}\n"
    ast.parse(source)
    file = tmp_path / "work.py"
    file.write_text(source)
    assert {effect.what for effect in effects_in(file, tmp_path)} == found
