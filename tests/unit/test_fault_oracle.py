"""The oracle of the fault matrix finds what is wrong: each invariant, by what violates it and it alone."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from devkit.audio import alaw, tone
from journal.cel_calls import CelCall
from storage.reconciliation import Difference, Kind
from tests.faults.damage import Damage, without_damaged
from tests.faults.observed import Absence, AudioSeen, Left, MailSeen, Observed, Stored
from tests.faults.oracle import judge
from tests.faults.voices import KNOWN, is_heard_in, voices_of
from tests.live.mails import from_alaw
from tests.live.traffic.media import FRAME, NAME
from tests.live.traffic.seen import with_whole_sounds
from tests.unit.test_kill_oracle import NUMBER, RECORD, RECORDING, RECORDINGS, SEEN

CALLER, DESTINATION, WRITER = 7, 8, 9
KEPT = AudioSeen(RECORDING, "recording", "stored", 1004.1, 9000.0, 7.9, {CALLER: 5.5, DESTINATION: 5.5})
GONE = AudioSeen("call-vm1", "message", "destroyed", 1051.0, None, 4.0)
TALK = replace(SEEN, voices=(CALLER, DESTINATION))
MESSAGE = replace(
    SEEN, script="voicemail", began=1050.0, answered=1050.1, ended=1056.0, to="", legs=(), keys=(),
    sounds=((1050.2, 1051.0),), voices=(WRITER, 0), spoken=5.0, number="+3280000002",
)  # fmt: skip


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


MESSAGE_RECORD = replace(
    RECORD, call_id="message", number="+3280000002", began=at(1050), answered=at(1050.1), connected=None,
    ended=at(1056), delivered_to="voicemail", outcome="voicemail", recording_id="", message_id="call-vm1",
    notice={}, legs=(),
)  # fmt: skip
MAIL = MailSeen("<call-vm1@here>", b"the mail", {WRITER: 4.9})
TRUE = Observed(
    calls=(TALK, MESSAGE),
    records=(RECORD, MESSAGE_RECORD),
    cel=(
        CelCall("dev-1.0", NUMBER, at(1000), at(1004.1), at(1012)),
        CelCall("dev-1.2", "3280000002", at(1050), at(1050.1), at(1056)),
    ),
    recordings=RECORDINGS,
    mails=(MAIL,),
    stored=Stored(
        audio={RECORDING: KEPT, GONE.audio_id: GONE},
        objects=frozenset({f"recording/{RECORDING}"}),
        keys=frozenset({RECORDING}),
        tombstones=frozenset({GONE.audio_id}),
    ),
    withheld={"+4915111111111": ()},
    now=1100.0,
)


def violated(it: Observed) -> set[str]:
    return set(judge(it))


def test_of_a_true_run_nothing_is_violated() -> None:
    assert judge(TRUE) == {}


def stored(**changes: Any) -> dict[str, Any]:
    return {"stored": replace(TRUE.stored, **changes)}


def audio(it: AudioSeen, **changes: Any) -> dict[str, Any]:
    return stored(audio={**TRUE.stored.audio, it.audio_id: replace(it, **changes)})


NOBODY: dict[str, Any] = {"answered": None, "ended_by": "", "to": "", "legs": (), "sounds": ()}
UNSERVED = replace(SEEN, number="+3280000003", began=1020.0, ended=1060.0, **NOBODY)
DIFFERENCE = Difference(Kind.DURATION, "x", NUMBER, at(1000), "CEL has 9 s", "look")
LATE_LEG = replace(SEEN.legs[0], began=1026.0, answered=None, ended=1027.0)
UNTRUE: Mapping[str, tuple[set[str], dict[str, Any]]] = {
    "no record": ({"V1", "V9", "V5"}, {"records": (MESSAGE_RECORD,)}),
    "two records": ({"V1", "V9"}, {"records": (RECORD, replace(RECORD, call_id="other"), MESSAGE_RECORD)}),
    "too long": ({"V1", "V9"}, {"records": (replace(RECORD, ended=at(1012.1)), MESSAGE_RECORD)}),
    "not served": ({"V2", "V9"}, {"calls": (TALK, MESSAGE, UNSERVED)}),
    "served late": ({"V2", "V9"}, {"calls": (TALK, MESSAGE, replace(UNSERVED, legs=(LATE_LEG,)))}),
    "no mail": ({"V3"}, {"mails": ()}),
    "two mails": ({"V3"}, {"mails": (MAIL, MAIL)}),
    "half a mail": ({"V3"}, {"mails": (replace(MAIL, voices={WRITER: 2.0}),)}),
    "another one's mail": ({"V3"}, {"mails": (replace(MAIL, voices={CALLER: 4.9}),)}),
    "in plain": ({"V4"}, stored(traces=("state/spool/x.wav",))),
    "its key": ({"V4"}, stored(keys=frozenset({RECORDING, GONE.audio_id}))),
    "its object": ({"V4"}, stored(objects=frozenset({f"recording/{RECORDING}", "message/call-vm1"}))),
    "no tombstone": ({"V4"}, stored(tombstones=frozenset())),
    "delivered and kept": ({"V4"}, audio(GONE, state="stored")),
    "never sealed": ({"V4", "V5"}, audio(KEPT, state="recorded", voices=None)),
    "an object of nobody": ({"V4"}, stored(objects=TRUE.stored.objects | {"message/stray"})),
    "audit": ({"V4"}, stored(findings=("chain: broken; look",))),
    "no recording": ({"V5"}, stored(audio={GONE.audio_id: GONE}, objects=frozenset())),
    "one side": ({"V5"}, audio(KEPT, voices={CALLER: 5.5})),
    "unreadable": ({"V5"}, audio(KEPT, voices=None)),
    "kept too long": ({"V5"}, audio(KEPT, due=1030.0)),
    "from before the announcement": ({"V6"}, audio(KEPT, began=1003.0)),
    "not announced": ({"V6", "V9"}, {"calls": (
        replace(TALK, legs=(replace(TALK.legs[0], sounds=((1002.1, 1002.6),)),), keys=()), MESSAGE)}),
    "withheld": ({"V7"}, {"withheld": {"+4915111111111": ("state/log/engine.log",)}}),
    "a channel": ({"V8"}, {"left": Left(channels=("dev-1.0",))}),
    "a bridge": ({"V8"}, {"left": Left(bridges=("b",))}),
    "a lease": ({"V8"}, {"left": Left(leases=("call-vm1",))}),
    "a file": ({"V8"}, {"left": Left(spool=("call-vm1.wav",))}),
    "reconciliation": ({"V9"}, {"differences": (DIFFERENCE,)}),
    "silent damage": ({"V1"}, {"unreported": ("a flipped bit in call x is not reported",)}),
    "other instants": ({"V9"}, {"records": (replace(RECORD, began=at(1000.06)), MESSAGE_RECORD)}),
    "not in CEL": ({"V9"}, {"cel": TRUE.cel[1:]}),
    "other in CEL": ({"V9"}, {"cel": (replace(TRUE.cel[0], ended=at(1012.2)), TRUE.cel[1])}),
}  # fmt: skip


@pytest.mark.parametrize(("names", "changes"), UNTRUE.values(), ids=UNTRUE.keys())
def test_what_is_wrong_violates_the_invariant_that_says_so(names: set[str], changes: dict[str, Any]) -> None:
    assert violated(replace(TRUE, **changes)) == names


DIED = Absence("asterisk", "killed", 1010.0, 1011.0)
LOST = replace(RECORD, ended=at(1009.6), ended_by="lost", outcome="lost")


def test_where_asterisk_died_the_end_may_be_a_second_off_and_is_marked() -> None:
    lost = replace(TRUE, absences=(DIED,), records=(LOST, MESSAGE_RECORD))
    assert violated(lost) == set()
    assert violated(replace(lost, records=(replace(LOST, ended_by="caller"), MESSAGE_RECORD))) == {"V1"}
    early = replace(lost, records=(replace(LOST, ended=at(1008.9)), MESSAGE_RECORD))
    assert violated(early) == {"V1"}
    away = Absence("engine", "killed", 1009.0, 1013.0)  # so nobody heard more of Asterisk
    assert violated(replace(early, absences=(DIED, away))) == set()


def test_of_a_call_in_which_asterisk_died_reconciliation_may_find_something() -> None:
    lost = replace(TRUE, absences=(DIED,), records=(LOST, MESSAGE_RECORD), differences=(DIFFERENCE,))
    assert violated(lost) == set()


@pytest.mark.parametrize(
    ("kind", "since", "is_found"),
    [(Kind.NO_CEL, 999.0, False), (Kind.NO_CEL, 1000.5, True), (Kind.DURATION, 999.0, True)],
)
def test_copy_and_truncate_may_lose_the_lines_of_calls_that_begin_meanwhile(
    kind: Kind, since: float, is_found: bool
) -> None:
    cut = Absence("cel", "copy", since, 1010.0)
    seen = replace(TRUE, absences=(cut,), differences=(replace(DIFFERENCE, kind=kind),))
    assert ("V9" in violated(seen)) == is_found


def test_where_asterisk_stood_still_a_hang_up_is_seen_when_it_runs_again() -> None:
    frozen = Absence("asterisk", "frozen", 1011.0, 1014.0)
    late = replace(RECORD, ended=at(1014.0))
    assert violated(replace(TRUE, absences=(frozen,), records=(late, MESSAGE_RECORD))) == set()
    later = replace(RECORD, ended=at(1015.2))
    assert "V1" in violated(replace(TRUE, absences=(frozen,), records=(later, MESSAGE_RECORD)))


def test_what_was_said_in_a_standstill_is_no_message_if_the_caller_hung_up_in_it() -> None:
    """Asterisk reads the hang-up first, and then nothing of what has waited in its sockets."""
    frozen = Absence("asterisk", "frozen", 1051.2, 1056.5)
    left = replace(MESSAGE_RECORD, ended=at(1056.5))
    assert violated(replace(TRUE, absences=(frozen,), records=(RECORD, left), mails=())) == set()
    over = Absence("asterisk", "frozen", 1051.2, 1055.9)
    assert "V3" in violated(replace(TRUE, absences=(over,), mails=()))


def test_audio_that_a_failover_has_cost_is_excused_and_its_call_is_not() -> None:
    damage = Damage(lost=[RECORDING])
    gone = replace(TRUE, stored=replace(TRUE.stored, audio={GONE.audio_id: GONE}, objects=frozenset()))
    leased = replace(gone, left=replace(gone.left, leases=[RECORDING]))
    assert violated(without_damaged(damage, leased)) == set()
    assert "V1" in violated(without_damaged(damage, replace(leased, records=(MESSAGE_RECORD,))))
    assert "V8" in violated(without_damaged(Damage(), leased))


def test_where_asterisk_stood_still_nothing_is_recorded() -> None:
    halves = replace(KEPT, voices={CALLER: 2.5, DESTINATION: 2.5})
    frozen = Absence("asterisk", "frozen", 1004.5, 1007.5)
    kept = replace(TRUE, stored=replace(TRUE.stored, audio={**TRUE.stored.audio, RECORDING: halves}))
    assert violated(kept) == {"V5"}
    assert violated(replace(kept, absences=(frozen,))) == set()


def test_an_announcement_in_the_middle_of_which_asterisk_stood_still_is_one() -> None:
    leg = replace(SEEN.legs[0], sounds=((1002.1, 1002.7), (1005.72, 1006.4)))
    (joined,) = with_whole_sounds(replace(SEEN, legs=(leg,)), [(1002.72, 1005.7)]).legs
    assert joined.sounds == ((1002.1, 1006.4),)
    (cut,) = with_whole_sounds(replace(SEEN, legs=(leg,)), [(1003.5, 1005.7)]).legs
    assert cut.sounds == leg.sounds


def test_a_call_that_came_while_asterisk_stood_still_began_for_it_when_it_ran_again() -> None:
    frozen = Absence("asterisk", "frozen", 999.0, 1003.0)
    late = replace(RECORD, began=at(1003.0))
    assert violated(replace(TRUE, absences=(frozen,), records=(late, MESSAGE_RECORD))) == set()
    assert "V1" in violated(replace(TRUE, records=(late, MESSAGE_RECORD)))


def test_bounds_are_those_of_a_machine_that_is_in_time() -> None:
    late = replace(TRUE, records=(replace(RECORD, ended=at(1012.1)), MESSAGE_RECORD))
    assert violated(late) == {"V1", "V9"}
    assert violated(replace(late, late=0.1)) == set()


def test_a_caller_does_not_wait_for_an_engine_that_is_known_to_be_away() -> None:
    late = replace(TRUE, calls=(replace(TALK, legs=(replace(TALK.legs[0], began=1000.4),)), MESSAGE))
    late = replace(
        late, records=(replace(RECORD, legs=(replace(RECORD.legs[0], began=at(1000.4)),)), MESSAGE_RECORD)
    )
    assert violated(replace(late, absences=(Absence("engine", "killed", 998.0, 1013.0),))) == set()
    assert violated(replace(late, absences=(Absence("engine", "killed", 990.0, 1013.0),))) == {"V2"}


def test_a_caller_waits_for_an_engine_that_died_for_two_seconds_and_longer_for_one_that_was_stopped() -> None:
    leg = replace(SEEN.legs[0], began=1003.0, ringing=1003.1)
    waits = replace(TRUE, calls=(replace(TALK, legs=(leg,)), MESSAGE))

    def broken(how: str) -> bool:
        return "V2" in violated(replace(waits, absences=(Absence("engine", how, 999.5, 1002.9),)))

    assert [broken(how) for how in ("killed", "frozen", "stopped")] == [True, True, False]


def test_a_caller_who_gives_up_early_needs_no_service() -> None:
    impatient = replace(
        SEEN,
        number="+3280000003",
        began=1020.0,
        answered=None,
        ended=1021.0,
        to="",
        legs=(),
        sounds=(),
        keys=(),
    )
    record = replace(
        RECORD, call_id="third", number="+3280000003", began=at(1020), answered=None, connected=None,
        ended=at(1021), outcome="abandoned", delivered_to="", recording_id="", legs=(), notice={},
    )  # fmt: skip
    it = replace(TRUE, calls=(*TRUE.calls, impatient), records=(*TRUE.records, record))
    assert violated(it) == set()


def test_a_mail_may_come_twice_where_the_servers_answer_was_lost_but_only_as_the_same_mail() -> None:
    lost = Absence("mail", "answer lost", 1057.0, 1060.0)
    twice = replace(TRUE, mails=(MAIL, MAIL), absences=(lost,))
    assert violated(twice) == set()
    assert violated(replace(twice, mails=(MAIL, replace(MAIL, content=b"another")))) == {"V3"}


def test_a_telephone_is_known_by_what_it_says_in_whatever_form() -> None:
    said = b"".join(NAME.pack(CALLER) + KNOWN for _ in range(50))
    silence = np.zeros(1234, np.int16)
    samples = np.concatenate([silence, from_alaw(said), silence])
    assert voices_of(samples, silence) == {CALLER: pytest.approx(1.0)}
    interleaved = np.stack([samples, np.roll(samples, 5)]).T.astype("<i2").tobytes()
    for data in (said, samples.astype("<i2").tobytes(), interleaved, b"\0" + interleaved):
        assert is_heard_in(data)
    assert not is_heard_in(alaw(tone((880,), 10 * FRAME)))
    assert not is_heard_in(tone((1000,), 10 * FRAME).astype("<i2").tobytes())


def test_a_record_belongs_to_the_call_that_began_when_it_began() -> None:
    again = replace(SEEN, began=SEEN.began + 0.8)
    second = replace(RECORD, call_id="second", began=RECORD.began + timedelta(seconds=0.8))
    it = Observed(calls=(SEEN, again), records=(RECORD, second))
    assert [it.records_of(call) for call in it.calls] == [[RECORD], [second]]


@pytest.mark.parametrize(
    ("began", "waited", "violates"),
    [(1020, 0.2, False), (1020, 0.5, True), (1029, 0.5, False), (1029, 2.1, True)],
)
def test_an_engine_that_is_known_to_be_away_keeps_nobody_waiting_until_the_next_takes_calls(
    began: float, waited: float, violates: bool
) -> None:
    leg = replace(LATE_LEG, began=began + waited, ended=began + waited + 1)
    call = replace(UNSERVED, began=began, ended=began + 5, legs=(leg,))
    killed = Absence("engine", "killed", 1010.0, 1030.0)
    it = replace(TRUE, calls=(TALK, MESSAGE, call), absences=(killed,))
    assert ("V2" in violated(it)) == violates


def test_an_engine_that_is_stopped_on_a_disk_that_hangs_may_take_a_second_more() -> None:
    hung, stopped = Absence("disk", "slow", 999.0, 1030.0), Absence("engine", "stopped", 1020.0, 1024.0)
    late = replace(TRUE, calls=(TALK, MESSAGE, replace(UNSERVED, legs=(LATE_LEG,))))
    found = [violated(replace(late, absences=absences)) for absences in ((hung,), (hung, stopped))]
    assert ["V2" in it for it in found] == [True, False]
