"""The shape of the code: layers, names, and nothing of this machine or of a registry in the repository."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import grimp
import pytest

from dialplan.steps import STEPS
from engine.steps import PERFORMERS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "dialplan",
    "config",
    "process",
    "journal",
    "engine",
    "storage",
    "mailer",
    "worker",
    "portal",
    "cli",
    "devkit",
)
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_the_one_of_this_repository(package: str) -> None:
    """The names are generic: another distribution's `config` must not get in before ours."""
    found = import_module(package).__file__
    assert found is not None
    assert Path(found).is_relative_to(ROOT)


def test_the_import_contracts_hold() -> None:
    command = [Path(sys.executable).with_name("lint-imports")]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert shown.returncode == 0, shown.stdout


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """The modules of ours that each module imports; an import under `TYPE_CHECKING` counts too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_imports_form_a_cycle_not_even_those_for_types_only(imports: dict[str, set[str]]) -> None:
    assert "dialplan.walk" in imports["dialplan.steps.ring"]
    TopologicalSorter(imports).prepare()  # raises CycleError


def test_no_module_imports_more_than_15_others(imports: dict[str, set[str]]) -> None:
    assert {module: len(others) for module, others in imports.items() if len(others) > 15} == {}


def test_no_file_has_more_than_300_lines() -> None:
    lengths = {str(file): len(file.read_text().splitlines()) for file in SOURCES}
    assert {file: length for file, length in lengths.items() if length > 300} == {}


def test_no_function_has_more_than_40_lines() -> None:
    long = {
        f"{file}:{node.lineno} {node.name}": length
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and (length := node.end_lineno - node.lineno + 1) > 40
    }
    assert long == {}


def test_the_bounds_hold_for_every_package_of_the_distribution() -> None:
    listed = (ROOT / "pyproject.toml").read_text().partition("packages = [")[2].partition("]")[0]
    assert {package.partition(".")[0] for package in re.findall(r'"([a-z_.]+)"', listed)} == set(PACKAGES)


def test_a_step_is_a_file_in_each_folder_and_a_line_in_each_registry_unless_it_only_decides() -> None:
    def files(package: str) -> set[str]:
        return {file.stem for file in (ROOT / package / "steps").glob("[a-z]*.py")}

    performed = {model.noun() for model in PERFORMERS}
    assert files("dialplan") == set(STEPS)
    assert files("engine") == performed
    assert set(STEPS) - performed == {"callers", "hours", "share", "switch", "use"}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(file)
        for file in SOURCES
        if file.stat().st_size and not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert silent == []


def test_files_are_named_after_what_they_are() -> None:
    vague = {"util", "utils", "helpers", "manager", "base", "common", "misc"}
    assert [str(file) for file in SOURCES if file.stem in vague] == []


def test_every_package_is_in_the_distribution() -> None:
    """setuptools packs only what pyproject lists: a forgotten folder works here and fails once installed."""
    listed = set(
        re.findall(
            r'"([a-z_.]+)"',
            (ROOT / "pyproject.toml").read_text().partition("packages = [")[2].partition("]")[0],
        )
    )
    there = {
        str(file.parent.relative_to(ROOT)).replace("/", ".") for file in SOURCES if file.name == "__init__.py"
    }
    assert listed == there


def test_every_file_beside_the_code_is_in_the_distribution() -> None:
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    listed = {
        file for package, patterns in packed.items() for it in patterns for file in (ROOT / package).glob(it)
    }
    there = {file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file()}
    assert {file for file in there - listed if file.suffix not in {".py", ".pyc"}} == set()


def test_every_pin_has_its_hash_and_no_registry_its_address() -> None:
    for file in ROOT.glob("requirements*.txt"):
        text = file.read_text()
        assert "://" not in text, file
        pins = re.split(r"\n(?=[a-z])", text, flags=re.IGNORECASE)
        assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == [], file


def test_production_pins_are_among_those_tested() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==[\w.]+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
