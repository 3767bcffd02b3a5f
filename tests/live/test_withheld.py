"""A withheld number stands nowhere: whatever becomes of the call, and even when no engine is there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.error import HTTPError

from devkit.carrier import Answers, Refuses, Rings
from devkit.handset import Handset
from devkit.parts import ended
from devkit.phones import WITHHELD, Identity, shown
from tests.live.ari import ask
from tests.live.service import House, Service, until
from tests.live.sinks import all_sinks, canary
from tests.live.sip import Agent, Call

# Senders who are nobody. Asterisk reads no more than 4096 bytes of the fifth, and nothing of the last.
NOBODY = [
    '"Jan" <sip:anonymous@carrier.example>',
    "<sip:restricted@carrier.example>",
    '"Jan, \\"<sip:+4915@x>\\"" <sips:Unavailable@carrier.example;user=phone>',
    "sip:private@carrier.example",
    f'"{"A" * 3990}" <sip:anonymous@anonymous.invalid>',
    f'"{"B" * 10_000}" <sip:anonymous@anonymous.invalid>',
]

Story = Callable[[Handset], Awaitable[object]]


async def talks(caller: Handset) -> None:
    await caller.wait_answered()
    await caller.hears(600)
    await caller.hang_up()


async def is_told(caller: Handset) -> None:
    await caller.wait_ended()


async def gives_up(caller: Handset) -> None:
    await caller.wait_ringing()
    await caller.hang_up()


def agree_stories(service: Service) -> dict[str, Story]:
    """Numbers for the four stories, and what the caller does in each."""
    answers, busy = service.destination(Answers(0.1)), service.destination(Refuses(486))
    rings = service.destination(Rings())
    numbers = service.house.agree(
        [{"ring": answers}],
        [{"ring": {"to": busy, "busy": [{"ring": answers}]}}],
        [{"ring": {"to": rings, "seconds": 5}}],
        [{"announce": "welcome"}, {"ring": rings}],
    )
    return dict(zip(numbers, (talks, talks, is_told, gives_up), strict=True))


async def call_in(service: Service, number: str, who: Identity, story: Story) -> None:
    caller = await service.call(number, who)
    await story(caller)
    await caller.wait_ended()


async def test_a_withheld_number_stands_nowhere_however_the_call_ends(service: Service) -> None:
    stories = agree_stories(service)
    calls = [(number, way, canary()) for number in stories for way in WITHHELD]
    await asyncio.gather(
        *(call_in(service, number, WITHHELD[way](secret), stories[number]) for number, way, secret in calls)
    )
    for number in stories:
        records = await service.records(number, len(WITHHELD))
        assert [(record.caller, record.withheld) for record in records] == [("", True)] * len(WITHHELD)
    sinks = await all_sinks(service)
    assert {f"{way}, {number}": sinks.holding(secret) for number, way, secret in calls} == {
        f"{way}, {number}": [] for number, way, _ in calls
    }


async def test_a_number_that_is_shown_is_found_where_it_belongs_and_not_in_the_logs(service: Service) -> None:
    """Where a withheld number is looked for, one that is there is seen: else the other tests see nothing."""
    open_to_all, *_ = stories = agree_stories(service)
    number = canary()
    await call_in(service, open_to_all, shown(number), stories[open_to_all])
    assert (await service.record(open_to_all)).caller == number
    places = (await all_sinks(service)).holding(number)
    assert {"dump", "csv", "json", "wire"} < set(places)
    assert any(place.startswith("journal/") for place in places)
    assert any(place.startswith("postgres/") for place in places)
    assert not [place for place in places if "log" in place.split("/")]


async def test_a_withheld_number_stands_nowhere_when_every_field_of_the_call_tells_it(
    service: Service,
) -> None:
    """Networks and telephones repeat a number in fields that no Privacy header speaks of."""
    number, _ = service.ringing(Refuses(486))
    secret, name = canary(), "Kanari\udce9 Vogel"  # é in Latin-1: Asterisk warns of that, number and all
    here = f"sip:{secret}@127.0.0.1"
    headers = [
        "Privacy: id",
        f'P-Asserted-Identity: "{name}" <tel:{secret}>',
        f"P-Preferred-Identity: <{here}>",
        f'Remote-Party-ID: "{name}" <{here}>;party=calling;privacy=off',
        f'Diversion: "{name}" <{here}>;reason=unconditional;privacy=full',
        f"History-Info: <{here}>;index=1",
        f"Referred-By: <{here}>",
        f"Reply-To: <{here}>",
        f"Call-Info: <{here}>;purpose=info",
        f"User-to-User: {secret};encoding=ascii",
        f"Subject: {secret}",
        f"Organization: {name}",
        f"User-Agent: {secret}",
    ]
    with Agent() as telephone:
        call = Call(telephone, service.house.run.sip, number, f'"{name}" <{here}>', headers)
        call.call_id, call.tag = f"{secret}.1@{secret}", f"{secret}tag"
        assert await asyncio.to_thread(call.invite().final) == 486
    record = await service.record(number)
    assert (record.caller, record.withheld) == ("", True)
    sinks = await all_sinks(service)
    assert sinks.holding(secret) == []
    assert sinks.holding_text("Kanari") == []


async def test_a_from_that_names_nobody_withholds_the_number_asserted_beside_it(service: Service) -> None:
    numbers = service.house.agree(*[[{"ring": service.destination(Refuses(486))}]] * len(NOBODY))
    calls = {number: (sender, canary()) for number, sender in zip(numbers, NOBODY, strict=True)}
    with Agent() as telephone:
        for number, (sender, secret) in calls.items():
            asserted = f"P-Asserted-Identity: <tel:{secret}>"
            call = Call(telephone, service.house.run.sip, number, sender, [asserted])
            assert await asyncio.to_thread(call.invite().final) == 486
    assert [(await service.record(number)).withheld for number in numbers] == [True] * len(NOBODY)
    sinks = await all_sinks(service)
    assert {sender[:40]: sinks.holding(secret) for sender, secret in calls.values()} == {
        sender[:40]: [] for sender in NOBODY
    }


async def test_a_withheld_number_stands_nowhere_when_asterisk_alone_takes_the_call(service: Service) -> None:
    house, fallback = service.house, service.destination(Answers(0.1))
    (number,) = house.agree([{"hangup": "busy"}], fallback=fallback)
    await until(lambda: variable(house, f"FB_{number.removeprefix('+')}") == fallback)
    calls = {way: canary() for way in WITHHELD}
    async with without_engine(house):
        await asyncio.gather(
            *(call_in(service, number, WITHHELD[way](secret), talks) for way, secret in calls.items())
        )
    invites = [arrival.invite for arrival in service.network.arrivals]
    assert [(it.number, "anonymous@" in it.one("from")) for it in invites] == [(fallback, True)] * len(calls)
    sinks = await all_sinks(service)
    assert {way: sinks.holding(secret) for way, secret in calls.items()} == {way: [] for way in calls}


@asynccontextmanager
async def without_engine(house: House) -> AsyncIterator[None]:
    """The engine is away, and Asterisk knows it at once instead of after 5 s."""
    assert house.engine.process is not None
    house.engine.terminate()
    await ended(house.engine.process)
    ask(house.endpoint, "/asterisk/variable?variable=ENGINE_ALIVE&value=0", "POST")
    try:
        yield
    finally:
        await house.engine.start()


def variable(house: House, name: str) -> str:
    """A global variable of Asterisk; empty where there is none."""
    try:
        return str(ask(house.endpoint, f"/asterisk/variable?variable={name}")["value"])
    except HTTPError:
        return ""
