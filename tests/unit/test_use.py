"""`use`: steps in a file of their own. Their errors have their own place; no sub-route uses itself."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.commands.explain import command as explain
from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.versions import Versions
from config.yaml_text import MAX_NODES
from dialplan.caller import UNKNOWN
from dialplan.rehearse import rehearse
from dialplan.result import Outcome
from dialplan.step import visit
from tests.unit.folders import NUMBER, good_folder, write_prompt
from tests.unit.routes import Raw, service_number
from tests.unit.stories import called as call_of
from tests.unit.stories import line, performed, terms_of
from tests.unit.test_walk import BUSY, TUESDAY_10, told

EVENING: Raw = {
    "use": {
        "name": "evening",
        "route": [{"announce": "closed"}, {"ring": {"to": "+3221112233", "busy": [{"voicemail": {}}]}}],
    }
}


@pytest.mark.parametrize(
    ("outcome", "path"),
    [
        ("taken", ["ring +3221112233"]),
        ("busy", ["ring +3221112233", "voicemail greeting"]),
        ("no_answer", ["ring +3221112233", "announce sorry"]),
    ],
)
def test_a_sub_route_is_gone_through_and_then_the_route_goes_on(outcome: str, path: list[str]) -> None:
    steps, _ = told([EVENING, {"announce": "sorry"}], TUESDAY_10, [Outcome(outcome)])
    assert steps == ["the steps of routes/evening.yaml", "announce closed", *path]


def test_the_steps_of_a_sub_route_have_their_paths() -> None:
    number = service_number([EVENING])
    assert [path for path, _ in visit(number.route)][-1] == (
        ("route", 0, "use", "route", 1, "ring", "busy", 0, "voicemail")
    )
    call = rehearse(number, number.facts(TUESDAY_10, UNKNOWN), [BUSY])
    assert next(step.path for step, _ in call.steps) == ("route", 0, "use", "route", 0, "announce")


@pytest.mark.looptime
async def test_a_live_call_goes_through_it() -> None:
    services, _ = await call_of(line(), terms_of([{"use": {"name": "x", "route": [{"announce": "a"}]}}]))
    assert performed(services) == [("announce", "done")]


def folder(root: Path, number: str, **routes: str) -> Path:
    """A good folder whose number's route is this, with sub-routes."""
    good_folder(root)
    (root / "numbers" / "main.yaml").write_text(f"{NUMBER.partition('route:')[0]}route:\n{number}")
    (root / "routes").mkdir()
    for name, text in routes.items():
        (root / "routes" / f"{name}.yaml").write_text(text)
    return root


def errors(root: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as wrong:
        load(root, Policy())
    return [str(error).replace(f"{root}/", "") for error in wrong.value.errors]


RING = "route:\n  - ring: +3221112233\n"


def test_two_numbers_use_one_sub_route_and_each_has_its_steps(tmp_path: Path) -> None:
    root = folder(tmp_path, "  - use: day\n", day=RING)
    other = (root / "numbers" / "main.yaml").read_text().replace("12345", "12346")
    (root / "numbers" / "other.yaml").write_text(other)
    first, second = load(root, Policy()).numbers.values()
    assert first.route == second.route
    assert first.route[0] is not second.route[0]


def test_a_sub_route_may_use_another_and_stand_in_a_branch(tmp_path: Path) -> None:
    number = "  - ring: {to: +3221112234, busy: [use: day]}\n  - callers: [{who: BE, then: [use: day]}]\n"
    root = folder(tmp_path, number, day="route:\n  - use: night\n", night=RING)
    (read,) = load(root, Policy()).numbers.values()
    used = ["use", "use", "ring"]
    assert [step.step for _, step in visit(read.route)] == ["ring", *used, "callers", *used]


def test_an_error_in_a_sub_route_has_its_place_in_its_own_file(tmp_path: Path) -> None:
    number = "  - hours:\n      open: daily 09:00-17:00\n      closed:\n        - use: day\n"
    day = "route:\n  - announce: welcom\n  - ring: {to: +3270012345, second: 5}\n  - use: night\n"
    night = "route:\n  - callers: [{who: +3x, then: [ring: 112]}]\n"
    assert errors(folder(tmp_path, number, day=day, night=night)) == [
        "routes/day.yaml:2:5: route.announce: there is no prompt `welcom`; did you mean `welcome`?",
        "routes/day.yaml:3:12: route.ring.to: +3270012345 is a service number of this folder, and the call "
        "would come back; write where it rings",
        "routes/day.yaml:3:29: route.ring.second: `second` is not a setting of ring; did you mean `seconds`?",
        "routes/night.yaml:2:16: route.callers.who: `+3x` is not a prefix; write +, country code and digits: "
        "+3247",
        "routes/night.yaml:2:33: route.callers.then.ring: `112` is an emergency or short number, never a "
        "destination; write a full one: +3221112233",
    ]


def test_a_prompt_is_missing_for_the_number_whose_owner_has_no_such_language(tmp_path: Path) -> None:
    root = folder(tmp_path, "  - use: day\n", day="route:\n  - announce: closed\n")
    write_prompt(root / "prompts" / "fr" / "closed.wav")
    assert errors(root) == [
        "routes/day.yaml:2:5: route.announce: there is no prompt `closed`; put the file at prompts/closed.wav"
    ]


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        ({"a": "route:\n  - use: a\n"}, "routes/a.yaml:2:5: route.use: a -> a"),
        (
            {
                "a": "route:\n  - use: b\n",
                "b": "route:\n  - announce: welcome\n  - use: c\n",
                "c": "route: [use: a]\n",
            },
            "routes/c.yaml:1:9: route.use: a -> b -> c -> a",
        ),
    ],
)
def test_a_sub_route_that_uses_itself_is_refused(tmp_path: Path, routes: dict[str, str], error: str) -> None:
    root = folder(tmp_path, "  - use: a\n", **routes)
    assert errors(root) == [f"{error}: a sub-route cannot use itself; remove one of these"]


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ("use: dai", "5:5: route.use: there is no sub-route `dai`; did you mean `day`?"),
        (
            "use: {name: holidays}",
            "5:5: route.use: there is no sub-route `holidays`; write routes/holidays.yaml",
        ),
        (
            "use: {name: day, route: [hangup: busy]}",
            "5:5: route.use: `route` is not a setting of use; write the steps in a file of routes/",
        ),
        ("use: {}", "5:5: route.use.name: is missing; write  name: evening, the name of a file in routes/"),
        ("use: [day]", "5:5: route.use: write one word or number here, no list and no settings"),
    ],
)
def test_a_use_of_nothing_is_refused(tmp_path: Path, step: str, what: str) -> None:
    assert errors(folder(tmp_path, f"  - {step}\n", day=RING)) == [f"numbers/main.yaml:{what}"]


def test_a_sub_route_that_no_number_uses_is_checked_too(tmp_path: Path) -> None:
    assert errors(folder(tmp_path, "  - announce: welcome\n", day="route: []\n", night="colour: blue\n")) == [
        "routes/day.yaml:1:1: route: this list is empty; write at least one entry",
        "routes/night.yaml:1:1: colour: `colour` is not a setting of a sub-route; there are: route",
        "routes/night.yaml:1:1: route: is missing; write  route:  and under it  - ring: +3221112233",
    ]


def test_sub_routes_too_deep_in_one_another_are_refused(tmp_path: Path) -> None:
    chain = {f"r{n:02}": f"route:\n  - use: r{n + 1:02}\n" for n in range(60)}
    found = errors(folder(tmp_path, "  - use: r00\n", **chain, r60=RING))
    assert found
    assert all("more than 8 sub-routes within one another" in error for error in found)


def test_a_few_files_cannot_make_a_route_of_millions_of_steps(tmp_path: Path) -> None:
    """Each uses the next one 20 times: 20 to the power of 5."""
    many = {f"r{n}": "route:\n" + f"  - use: r{n + 1}\n" * 20 for n in range(5)}
    began = time.process_time()
    found = errors(folder(tmp_path, "  - use: r0\n", **many, r5="route:\n  - announce: welcome\n"))
    assert time.process_time() - began < 5
    assert all(f"more than {MAX_NODES:,} values in one route" in error for error in found)


def test_a_kept_version_has_its_sub_routes(tmp_path: Path) -> None:
    root, versions = folder(tmp_path / "routing", "  - use: day\n", day=RING), Versions(tmp_path / "versions")
    digest = load(root, Policy()).digest
    versions.store(root, digest)
    (root / "routes" / "day.yaml").write_text(RING.replace("33", "44"))
    assert load(root, Policy()).digest != digest
    (kept,) = versions.read(digest).numbers.values()
    assert [step.step for _, step in visit(kept.route)] == ["use", "ring"]


def test_explain_and_expect_go_through_a_sub_route(tmp_path: Path) -> None:
    expect = "expect:\n  - {at: 2026-11-24 10:00, rings: [+3221112233]}\n"
    root = folder(tmp_path, f"  - use: day\n{expect}", day=RING)
    printed = json.loads(CliRunner().invoke(explain, [str(root), "+3270012345", "--format", "json"]).output)
    assert [entry["step"] for entry in printed["path"]] == ["use", "ring"]
    assert printed["path"][1]["path"] == ["route", 0, "use", "route", 0, "ring"]
