"""The fake line of the unit tests tells the same stories as Asterisk and real telephones do."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.prompts import built_in
from devkit import carrier
from dialplan.number import Owner
from dialplan.prompt import RECORDING_PROMPTS, Prompt
from dialplan.result import Outcome
from dialplan.routing import BUILT_IN
from engine.call_terms import CallTerms
from journal.codec import encode
from storage.records import CallRecord, call_record
from tests.lateness import late
from tests.live.agreed import PROMPTS, SECONDS, Route, new_destination, new_number
from tests.live.followed import Json
from tests.live.service import House, Service
from tests.unit import fake_dial, fake_services, fakes
from tests.unit.routes import service_number

FIRST, SECOND = new_destination(), new_destination()


@dataclass(frozen=True)
class Does:
    """What a destination does, said to the fake line and to the carrier."""

    fake: fake_dial.Answers | fake_dial.Says
    real: carrier.Behaviour


@dataclass(frozen=True)
class Story:
    route: Route
    does: Mapping[str, Does] = field(default_factory=dict)
    hangs_up_after: float | None = None
    record: str = "off"
    presses: Sequence[tuple[float, str]] = ()  # on the fake line; the real caller presses at `hears`
    hears: str = ""


def answers(after: float = 0.3, talks: float = 0.4) -> Does:
    return Does(fake_dial.Answers(after, talks), carrier.Answers(after, hangs_up_after=talks))


def listens(seconds: float, after: float = 0.3) -> Does:
    """Hangs up so long after the answer: during the announcement, or what is left of that after it."""
    told = announcement("recording-announcement").seconds
    fake = fake_dial.Answers(after, max(seconds - told, 0), leaves=seconds)
    return Does(fake, carrier.Answers(after, hangs_up_after=seconds))


def announcement(name: str) -> Prompt:
    return built_in()[f"{BUILT_IN}en/{name}"]


def refuses(outcome: Outcome, code: int) -> Does:
    return Does(fake_dial.Says(outcome, 0.05), carrier.Refuses(code))


BUSY, GONE = refuses(Outcome.BUSY, 486), refuses(Outcome.UNREACHABLE, 404)
ANSWERS, LATE = answers(), answers(after=60)
BRANCH = {"to": FIRST, "busy": [{"announce": "sorry"}, {"ring": SECOND}]}
MENU: Route = [
    {"announce": "welcome"},
    {"menu": {"prompt": "sorry", "keys": {"1": [{"ring": FIRST}]}, "seconds": 2, "tries": 1, "answer": True}},
    {"hangup": "closed"},
]
STORIES = {
    "the destination hangs up": Story([{"announce": "welcome"}, {"ring": FIRST}], {FIRST: ANSWERS}),
    "the caller hangs up": Story([{"ring": FIRST}], {FIRST: answers(talks=60)}, 1.0),
    "the caller gives up in a prompt": Story([{"announce": "long"}], {}, 0.5),
    "the caller gives up while it rings": Story([{"ring": FIRST}], {FIRST: LATE}, 0.4),
    "busy, then the branch": Story([{"ring": BRANCH}], {FIRST: BUSY, SECOND: ANSWERS}),
    "busy, then the next step": Story([{"ring": FIRST}, {"ring": SECOND}], {FIRST: BUSY, SECOND: GONE}),
    "the quicker of two": Story([{"ring": {"to": [FIRST, SECOND]}}], {FIRST: LATE, SECOND: ANSWERS}),
    "two who cannot": Story([{"ring": {"to": [FIRST, SECOND]}}], {FIRST: BUSY, SECOND: GONE}),
    "recorded": Story([{"ring": FIRST}], {FIRST: listens(2.2)}, record="announce"),
    "who leaves when he is told": Story(
        [{"ring": FIRST}, {"ring": SECOND}], {FIRST: listens(0.6), SECOND: listens(2.2)}, record="announce"
    ),
    "a key in the prompt": Story(MENU, {FIRST: ANSWERS}, presses=[(0.9, "1")], hears="sorry"),
    "no key": Story(MENU, {FIRST: ANSWERS}),
    "waits": Story(
        [{"wait": 1}, {"wait": {"seconds": 1, "music": "welcome"}}, {"ring": FIRST}], {FIRST: ANSWERS}
    ),
    "closed": Story([{"announce": "closed"}, {"hangup": "closed"}]),
}


@pytest.fixture(scope="module")
def numbers(house: House) -> dict[str, str]:
    files = {name: new_number() for name in STORIES}
    house.write({files[name]: {"route": it.route, "record": it.record} for name, it in STORIES.items()})
    return files


@pytest.mark.parametrize("name", STORIES)
async def test_the_fake_line_tells_the_story_that_asterisk_tells(
    service: Service, numbers: dict[str, str], name: str
) -> None:
    story = STORIES[name]
    (faked, fake_entries), (real, entries) = await asyncio.gather(
        on_the_fake_line(story), on_asterisk(service, numbers[name], story)
    )
    assert told(faked) == told(real)
    assert set(map(kind, fake_entries)) == set(map(kind, entries))  # CEL may say a thing twice
    for mine, theirs in ((faked.ring, real.ring), (faked.talk, real.talk)):
        assert abs(mine - theirs) < timedelta(seconds=0.3) + late()


async def on_the_fake_line(story: Story) -> tuple[CallRecord, Sequence[Json]]:
    number = service_number([dict(step) for step in story.route], record=story.record)
    terms = CallTerms(number, Owner(name="ACME"), prompt)
    services = fake_services.FakeCallServices(terms)
    does = {to: does.fake for to, does in story.does.items()}
    line = fakes.FakeLine(does, story.hangs_up_after, presses=story.presses)
    state = await fake_services.attend(line, services)
    return call_record(state), [json.loads(encode(entry)) for entry in services.entries]


async def on_asterisk(service: Service, number: str, story: Story) -> tuple[CallRecord, Sequence[Json]]:
    for to, does in story.does.items():
        service.network.behave(to, does.real)
    caller = await service.call(number)
    if story.hears:
        await caller.hears(PROMPTS[story.hears])
    for _, keys in story.presses:
        await caller.press(keys)
    if story.hangs_up_after is not None:
        await asyncio.sleep(story.hangs_up_after)  # as the story has it
        await caller.hang_up()
    await caller.wait_ended()
    return await service.record(number), service.journal(number)


def prompt(name: str) -> Prompt:
    return (
        announcement(name)
        if name in RECORDING_PROMPTS
        else Prompt(name, Path(f"{name}.wav"), SECONDS.get(name, 0.5), "")
    )


def told(record: CallRecord) -> tuple[Any, ...]:
    """What both must say alike: everything but ids and instants."""
    legs = sorted(
        (leg.to, leg.outcome, leg.ringing is not None, leg.answered is not None, leg.ended is not None)
        for leg in record.legs
    )
    return record.outcome, record.ended_by, record.cause, record.delivered_to, record.answered is None, legs


def kind(entry: Json) -> tuple[str, ...]:
    return entry["kind"], entry.get("step", ""), entry.get("outcome", "")
