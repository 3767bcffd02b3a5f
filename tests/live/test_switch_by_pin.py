"""A call with a PIN puts a switch on; the next call hears it; nothing of the PIN is left anywhere."""

from click.testing import CliRunner

from cli.commands.pin import command
from devkit.carrier import Answers
from devkit.phones import WITHHELD, Identity, shown
from tests.live.agreed import PROMPTS, Route, new_caller
from tests.live.conversation import hear_each_other
from tests.live.service import Service, until

PIN = "48151623"
# The switch of an owner would be on for the numbers of all other tests: its name is this test's own.
STEP = {"name": "pin-test", "ask": "long", "on": "closed", "off": "welcome", "of": "owner"}


def agreed(service: Service, to: str) -> tuple[str, str]:
    """The number of the people who may switch, and the one that they switch: of one owner."""
    route: Route = [{"switch": {"pin-test": [{"announce": "sorry"}, {"hangup": "busy"}]}}, {"ring": to}]
    by_phone, number = service.house.agree([{"switch_by_pin": STEP}], route)
    arguments = [by_phone, "--state", str(service.house.state)]
    reply = CliRunner().invoke(command, arguments, input=f"{PIN}\n")
    assert reply.exit_code == 0, reply.output
    return by_phone, number


async def entered(service: Service, number: str, confirmed: str) -> None:
    caller = await service.call(number)
    await caller.hears(PROMPTS["long"])
    await caller.press(f"{PIN}#")
    await caller.hears(PROMPTS[confirmed])
    await caller.wait_ended()


async def test_who_has_the_pin_closes_the_number_hears_it_and_opens_it_again(service: Service) -> None:
    to = service.destination(Answers())
    by_phone, number = agreed(service, to)
    await entered(service, by_phone, "closed")
    caller = await service.call(number)
    await caller.hears(PROMPTS["sorry"])
    await caller.wait_ended()
    await entered(service, by_phone, "welcome")
    caller = await service.call(number)
    await hear_each_other(caller, await service.network.picked_up(to))
    await caller.hang_up()
    records = await service.records(number, 2)
    assert {(record.outcome, record.switches) for record in records} == {
        ("busy", ("pin-test",)),
        ("answered", ()),
    }
    switched = await service.records(by_phone, 2)
    assert {record.choices for record in switched} == {("on",), ("off",)}
    lines = (service.house.state / "switches.jsonl").read_text()
    assert all(f"call {record.call_id}" in lines for record in switched)
    state = service.house.state
    files = [file for ending in ("*.log", "*.jsonl", "pins.json") for file in state.rglob(ending)]
    assert len(files) > 2
    assert not [file for file in files if PIN in file.read_text(errors="replace")]
    assert PIN not in f"{service.journal(by_phone)}"


async def guessed(service: Service, number: str, who: Identity, *guesses: str) -> None:
    """A call in which somebody enters these PINs, all of them wrong or locked."""
    before = service.house.told("pin_refused")
    caller = await service.call(number, who)
    await caller.hears(PROMPTS["long"])
    for n, wrong in enumerate(guesses, start=1):
        await caller.press(f"{wrong}#")
        await until(lambda n=n: service.house.told("pin_refused") == before + n)  # type: ignore[misc]
    await caller.wait_ended()


async def test_who_does_not_have_it_is_refused_after_three_tries(service: Service) -> None:
    by_phone, _ = agreed(service, service.destination(Answers()))
    await guessed(service, by_phone, shown(new_caller()), "271828", "314159", "161803")
    record = await service.record(by_phone)
    assert (record.choices, record.answered is not None) == (("refused",), True)


async def test_a_stranger_who_guesses_locks_out_the_stranger_alone(service: Service) -> None:
    """Ten wrong PINs, three in a call; then the right one counts from others, and not from there."""
    by_phone, _ = agreed(service, service.destination(Answers()))
    stranger = shown(new_caller())
    for _ in range(3):
        await guessed(service, by_phone, stranger, "271828", "314159", "161803")
    await guessed(service, by_phone, stranger, "271828", PIN, PIN)
    await entered(service, by_phone, "closed")
    nobody = WITHHELD["real From and private"](stranger.user)
    await guessed(service, by_phone, nobody, "271828", "314159", "161803")
    await entered(service, by_phone, "welcome")
    records = await service.records(by_phone, 7)
    chosen = [record.choices for record in records]
    assert chosen == [("refused",)] * 4 + [("on",), ("refused",), ("off",)]
    refused = [line for line in service.house.log() if line["event"] == "pin_refused"][-15:]
    assert [line["why"] for line in refused] == ["wrong"] * 10 + ["caller locked"] * 2 + ["wrong"] * 3
    assert stranger.user.removeprefix("+") not in f"{refused}"
