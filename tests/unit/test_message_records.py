"""What an owner is to be mailed about a call, told by the journal's entries alone."""

from datetime import timedelta
from typing import Any

from dialplan.result import Result
from journal.entries import Entry, MessageEnded, MessageStarted
from journal.state import fold
from storage.records import MessageRecord, messages
from tests.store.calls import NOON, answered_call, changed, record_of
from tests.store.sounds import DELIVER, audio_id, voicemail_call


def projected(entries: list[Entry]) -> tuple[MessageRecord, ...]:
    return messages(fold(entries))


def is_of_message(entry: Entry) -> bool:
    return isinstance(entry, MessageStarted | MessageEnded)


def without_message(entries: list[Entry], **end: Any) -> list[Entry]:
    kept = [entry for entry in entries if not is_of_message(entry)]
    return [*kept[:-1], changed(kept[-1], **end)]


def test_a_message_begins_ends_and_goes_where_it_was_agreed() -> None:
    began = NOON + timedelta(seconds=1 + 5)
    assert projected(voicemail_call(1)) == (
        MessageRecord(audio_id(1), "voicemail", DELIVER, began, began + timedelta(seconds=2), "hangup"),
    )


def test_the_call_record_names_its_message() -> None:
    record = record_of(voicemail_call(1))
    assert (record.message_id, record.delivered_to) == (audio_id(1), "voicemail")


def test_a_message_whose_end_nobody_saw_is_one_all_the_same() -> None:
    (message,) = projected(voicemail_call(1, how=None))
    assert (message.message_id, message.ended, message.how) == (audio_id(1), None, None)


def test_an_answered_call_is_no_message() -> None:
    assert projected(answered_call(1, missed=DELIVER)) == ()


def test_a_call_that_left_nothing_is_missed_where_the_owner_wants_to_know() -> None:
    entries = without_message(voicemail_call(1, missed=True))
    (message,) = projected(entries)
    call = entries[0].call
    assert (message.message_id, message.kind, message.deliver) == (f"{call}-missed", "missed", DELIVER)
    assert projected(without_message(voicemail_call(1))) == ()


def test_so_is_one_of_an_older_journal_that_was_answered_by_the_voicemail() -> None:
    start, answered, *rest = without_message(voicemail_call(1, missed=True))
    (message,) = projected([start, changed(answered, to="voicemail"), *rest])
    assert message.kind == "missed"


def test_a_call_that_nobody_answered_is_missed() -> None:
    start, *_, end = answered_call(1, missed=DELIVER)
    (message,) = projected([start, changed(end, outcome=Result.NO_ANSWER)])
    assert message.kind == "missed"


def test_a_destination_that_answered_before_asterisk_died_is_no_missed_call() -> None:
    *entries, end = answered_call(1, missed=DELIVER)
    assert projected([*entries, changed(end, outcome=Result.LOST)]) == ()


def test_with_a_message_the_call_is_missed_only_should_nothing_be_on_it() -> None:
    (message,) = projected(voicemail_call(1, missed=True))
    assert (message.kind, message.or_missed) == ("voicemail", True)


def test_each_message_of_a_call_is_one() -> None:
    *entries, end = voicemail_call(1, how="failed")
    second = audio_id(1).replace("vm1", "vm2")
    again = [changed(entry, audio=second) for entry in entries if is_of_message(entry)]
    assert [message.message_id[-3:] for message in projected([*entries, *again, end])] == ["vm1", "vm2"]
