"""A route as a tree and as a picture: every step and every branch of it, at its place."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from hypothesis import given

import config
from cli.commands.draw import command
from cli.commands.explain import command as explain
from cli.picture import svg
from cli.route_tree import Node, lines, nodes, tree_of
from config.load import load
from config.policy import Policy
from dialplan.steps import visit
from tests.unit.folders import good_folder
from tests.unit.routes import Raw, routes, service_number

SAMPLES = Path(config.__file__).parent / "samples"
NUMBERS = [
    (folder, number.number)
    for folder in (SAMPLES / "dentist", SAMPLES / "provider")
    for number in load(folder, Policy()).numbers.values()
]
SVG = "{http://www.w3.org/2000/svg}"


def every(steps: tuple[Node, ...]) -> list[Node]:
    return [it for node in steps for it in (node, *(i for _, branch in node.branches for i in every(branch)))]


def draw(folder: Path, number: str, out: Path) -> Result:
    return CliRunner().invoke(command, [str(folder), number, "--out", str(out)])


@pytest.mark.parametrize(("folder", "number"), NUMBERS)
def test_a_picture_has_a_box_for_each_step(folder: Path, number: str, tmp_path: Path) -> None:
    done = draw(folder, number, tmp_path / "route.svg")
    assert done.exit_code == 0, done.output
    picture = ElementTree.parse(tmp_path / "route.svg").getroot()  # noqa: S314 - ours
    names = [text.text for text in picture.iter(f"{SVG}text") if text.get("font-weight") == "bold"]
    assert names[1:] == [node.name for node in every(tree_of(folder, number))]
    assert len(list(picture.iter(f"{SVG}rect"))) == len(names), "a box for each, and the background"


@pytest.mark.parametrize(("folder", "number"), NUMBERS)
def test_no_boxes_overlap_and_all_are_within_the_picture(folder: Path, number: str, tmp_path: Path) -> None:
    draw(folder, number, tmp_path / "route.svg")
    whole, *boxes = [
        [float(box.get(name) or 0) for name in ("x", "y", "width", "height")]
        for box in ElementTree.parse(tmp_path / "route.svg").getroot().iter(f"{SVG}rect")  # noqa: S314 - ours
    ]
    for place, (x, y, width, height) in enumerate(boxes):
        assert x + width <= whole[2]
        assert y + height <= whole[3]
        for x2, y2, width2, height2 in boxes[:place]:
            apart = x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
            assert apart


@given(routes)
def test_the_paths_of_a_tree_are_those_of_the_journal(route: list[Raw]) -> None:
    """Steps that `block` stands for are not written as steps."""
    written = {node.path for node in every(tuple(nodes(route, ("route",))))}
    walked = {path for path, _ in visit(service_number(route).route) if "block" not in path}
    assert {path for path in walked if "use" not in path} <= written


def test_what_the_operator_wrote_cannot_break_out_of_the_picture() -> None:
    node = Node("announce", "<script>alert(1)</script> & more", ("route", 0, "announce"), ())
    picture = ElementTree.fromstring(svg("</text><script/>", (node,)))  # noqa: S314 - ours
    assert not list(picture.iter(f"{SVG}script"))


def test_a_tree_marks_the_steps_that_are_taken() -> None:
    steps = tuple(
        nodes([{"ring": {"to": "+3221112233", "busy": [{"hangup": "busy"}]}}, {"wait": "5"}], ("route",))
    )
    taken = {("route", 0, "ring"), ("route", 0, "ring", "busy", 0, "hangup")}
    assert list(lines(steps, taken)) == [
        "> ring  +3221112233",
        "    busy:",
        ">     hangup  busy",
        "  wait  5",
    ]


def test_explain_prints_the_whole_route() -> None:
    done = CliRunner().invoke(
        explain, [str(SAMPLES / "dentist"), "+3270012345", "--at", "2026-11-24 10:00", "--tree"]
    )
    assert done.exit_code == 0, done.output
    assert re.search(r"^> ring  \[\+32470111222, \+3221112233\], seconds 20$", done.output, re.M)
    assert re.search(r"^      voicemail  closed$", done.output, re.M), "not taken"
    assert done.output.endswith("answered: the caller's network is answered SIP 200\n")


def test_a_number_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = draw(good_folder(tmp_path / "routing"), "+3270099999", tmp_path / "route.svg")
    assert done.exit_code == 1
    assert "+3270099999 is not a number of" in done.output


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = draw(good_folder(tmp_path / "routing"), "+3270012345", tmp_path / "nowhere" / "route.svg")
    assert done.exit_code == 1
    assert "cannot be written" in done.output
