"""A new step is its two files and a line in each registry: proved with two throw-away steps.

`pause: 2` stands for a simple step. `switchboard` refers to a prompt, a destination and steps deep inside its
settings, as a menu will.
"""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from click.testing import CliRunner, Result
from pydantic import Field

import dialplan.route
import engine.steps
from cli.commands.check import command as check_command
from cli.commands.explain import command as explain_command
from dialplan.destination import Destination
from dialplan.model import Model
from dialplan.references import PromptSetting
from dialplan.result import Outcome, Verdict
from dialplan.route import STEPS, Branch
from dialplan.step import Facts, Plan, StepModel, visit
from engine.call import Call
from engine.steps import PERFORMERS
from engine.steps.announce import say
from journal.entries import StepPerformed
from storage.retracing import Known, PastStep, retrace
from tests.unit.fake_services import FakeCallServices, attend
from tests.unit.fakes import FakeLine
from tests.unit.folders import NUMBER, good_folder
from tests.unit.routes import Raw, service_number
from tests.unit.stories import terms_of
from tests.unit.test_past_call import A, leg, past

# dialplan/steps/pause.py


class Pause(StepModel):
    """Let the caller wait.

    - pause: 2
    """

    alone: ClassVar = "seconds"

    step: Literal["pause"] = "pause"
    seconds: Annotated[int, Field(ge=1, le=60, examples=["2"])]
    prompt: PromptSetting | None = None
    afterwards: Branch = None

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return so_far


# engine/steps/pause.py


async def pause(step: Pause, call: Call) -> Outcome:
    """Let the caller wait, after the prompt."""
    if step.prompt:
        await say(step.prompt, call)
    await call.line.wait(step.seconds, None)
    return Outcome.DONE


class Entry(Model):
    """What one key of a switchboard does."""

    says: PromptSetting | None = None
    to: Destination | None = None
    then: Branch = None


class Switchboard(StepModel):
    """Not performed here."""

    alone: ClassVar = "keys"
    takes_message: ClassVar = True

    step: Literal["switchboard"] = "switchboard"
    keys: dict[str, Entry]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        yield self
        return so_far


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The line in dialplan/steps/__init__.py, and that in engine/steps/__init__.py."""
    registries: list[dict[Any, Any]] = [STEPS, PERFORMERS]
    before = [registry.copy() for registry in registries]
    dialplan.route.register(Pause, Switchboard)
    engine.steps.register(pause)
    yield
    for registry, steps in zip(registries, before, strict=True):
        registry.clear()
        registry.update(steps)


def folder_with(folder: Path, step: str, more: str = "") -> Path:
    """A good folder whose route begins with that step, on line 5."""
    good_folder(folder)
    text = NUMBER.replace("  - announce: welcome\n", f"  - {step}\n") + more
    (folder / "numbers" / "main.yaml").write_text(text)
    return folder


def check(folder: Path) -> list[str]:
    printed = CliRunner().invoke(check_command, [str(folder)])
    return [line.removeprefix(f"{folder}/numbers/main.yaml:") for line in printed.stdout.splitlines()]


def explain(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(explain_command, [str(folder), "+3270012345", *options])


NAMES = ", ".join(sorted({*STEPS, "pause", "switchboard"}))
NO_PROMPT = "there is no prompt `hold-on`; put the file at prompts/hold-on.wav"
OWN_NUMBER = (
    "+3270012345 is a service number of this folder, and the call would come back; write where it rings"
)


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("pause: {seconds: 2, prompt: hold-on}", f"5:25: route.pause.prompt: {NO_PROMPT}"),
        (
            "pause: {seconds: 2, afterwards: [announce: hold-on]}",
            f"5:38: route.pause.afterwards.announce: {NO_PROMPT}",
        ),
        ("pause: {seconds: 99}", "5:13: route.pause.seconds: `99` is too high; write 60 or less"),
        ("pause: {}", "5:5: route.pause.seconds: is missing; write  seconds: 2"),
        (
            "pause: {secconds: 2, seconds: 2}",
            "5:13: route.pause.secconds: `secconds` is not a setting of pause; did you mean `seconds`?",
        ),
        ("paus: 2", "5:5: route: `paus` is not a step; did you mean `pause`?"),
        ("conjure: 2", f"5:5: route: `conjure` is not a step; the steps are {NAMES}"),
        ("ring: {to: +3221112233, busy: [pause: {}]}", "5:36: route.ring.busy.pause.seconds: is missing"),
    ],
)
def test_check_finds_what_is_wrong_with_a_new_step(tmp_path: Path, step: str, error: str) -> None:
    (found,) = check(folder_with(tmp_path, step))
    assert found.startswith(error)


def test_check_finds_what_a_new_step_refers_to_however_deep(tmp_path: Path) -> None:
    keys = "{keys: {1: {says: hold-on}, 2: {to: +3270012345}, 3: {then: [ring: +3270012345]}, 4: {too: x}}}"
    assert check(folder_with(tmp_path, f"switchboard: {keys}")) == [
        "5:5: route.switchboard: acme has no address for messages; "
        "write  mail: office@acme.example  in owners/acme.yaml",
        f"5:30: route.switchboard.keys.1.says: {NO_PROMPT}",
        f"5:50: route.switchboard.keys.2.to: {OWN_NUMBER}",
        f"5:79: route.switchboard.keys.3.then.ring: {OWN_NUMBER}",
        "5:104: route.switchboard.keys.4.too: `too` is not a setting of this entry; did you mean `to`?",
    ]


def test_expect_hears_the_prompt_of_a_new_step(tmp_path: Path) -> None:
    expect = "expect:\n  - {at: 2026-11-24 10:00, hears: [welcome], ends: answered}\n"
    assert check(folder_with(tmp_path / "good", "pause: {seconds: 2, prompt: welcome}", expect)) == [
        "1 number, 1 owner, 1 prompt: all good (1 expected call tried out)"
    ]
    (error,) = check(folder_with(tmp_path / "wrong", "pause: 2", expect))
    assert error == "8:28: expect.hears: expected [welcome], got []"


def test_explain_prints_a_new_step(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "pause: {seconds: 2, afterwards: [hangup: busy]}")
    assert "\n  1  pause     2 -> done\n  2  ring      " in explain(folder).output
    steps = json.loads(explain(folder, "--format", "json").output)["path"]
    assert steps[0] == {
        "kind": "step",
        "step": "pause",
        "path": ["route", 0, "pause"],
        "settings": {"seconds": 2, "prompt": None},
        "outcome": "done",
    }


def test_explain_of_a_past_call_has_a_new_step_with_what_is_known_of_it() -> None:
    keys: Raw = {"keys": {"1": {}}}
    number = service_number([{"pause": "2"}, {"ring": A}, {"switchboard": keys}])
    record = past("voicemail", leg(A, "busy"), message_id="m")
    known = [passed.known for passed in retrace(record, number).path if isinstance(passed, PastStep)]
    assert known == [Known.SUPPOSED, Known.ATTEMPTS, Known.MESSAGE]


def test_the_steps_inside_a_new_step_have_their_paths() -> None:
    inner: list[Raw] = [{"pause": {"seconds": "2", "afterwards": [{"announce": "welcome"}]}}]
    number = service_number([{"switchboard": {"keys": {"1": {"then": inner}}}}])
    number = pickle.loads(pickle.dumps(number))  # noqa: S301 - ours
    assert [step.path for _, step in visit(number.route)] == [
        ("route", 0, "switchboard"),
        ("route", 0, "switchboard", "keys", "1", "then", 0, "pause"),
        ("route", 0, "switchboard", "keys", "1", "then", 0, "pause", "afterwards", 0, "announce"),
    ]


def test_a_step_has_the_prompts_and_destinations_of_its_settings_but_not_of_the_steps_inside() -> None:
    then: list[Raw] = [{"announce": "theirs"}, {"ring": "+3221112244"}]
    keys = {"1": {"says": "ours", "then": then}, "2": {"to": "+3221112233"}}
    (step,) = service_number([{"switchboard": {"keys": keys}}]).route
    assert (step.prompts, [str(to) for to in step.destinations]) == (("ours",), ["+3221112233"])


@pytest.mark.looptime
async def test_the_walk_performs_a_new_step() -> None:
    line = FakeLine()
    services = FakeCallServices(
        terms_of([{"pause": {"seconds": "2", "prompt": "welcome"}}, {"announce": "closed"}])
    )
    state = await attend(line, services)
    assert line.heard == ["welcome", "waits with ringing", "closed", "hung up: no_answer"]
    paused, announced = services.of(StepPerformed)
    assert (paused.step, paused.outcome, paused.path) == ("pause", Outcome.DONE, ("route", 0, "pause"))
    assert paused.at is not None
    assert announced.at is not None
    assert state.outcomes == [Outcome.DONE, Outcome.DONE]
