"""What the pages and units say is there, is there."""

import re
import tomllib
from pathlib import Path

import pytest

from cli.__main__ import COMMANDS
from config.asterisk import Asterisk
from config.complaint import names as settings_names
from config.settings import Settings
from engine.metrics import EngineMetrics
from worker.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [folder for folder in ROOT.glob("[!.]*") if (folder / "__init__.py").exists()]
FOLDERS += [ROOT / name for name in ("asterisk", "docs", "packaging", "scripts", "systemd", "tests")]
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in folder.rglob("*.md"))])
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
UNITS = sorted(ROOT.glob("systemd/*.service"))

# A link's target: a file, an anchor in it, or both.
LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")
SOURCES = {".conf", ".md", ".py", ".service", ".sh", ".sql", ".toml", ".yaml"}

# The text of an applied migration never changes, so its comment has the number of before.
OLD_NUMBER = ROOT / "storage/migrations/008_key_epochs.sql"

# A glob that finds nothing proves nothing.
assert PAGES
assert DECISIONS
assert len(UNITS) == 5
OURS = [unit for unit in UNITS if unit.stem != "callengine-asterisk"]
SERVERS = [unit for unit in OURS if unit.stem != "callengine-audit"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = [link for link, _ in LINK.findall(page.read_text("utf-8"))]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_to_a_section_leads_to_a_heading(page: Path) -> None:
    links = [(link, anchor) for link, anchor in LINK.findall(page.read_text("utf-8")) if anchor]
    linked = [(page.parent / link if link else page, anchor) for link, anchor in links]
    assert [anchor for target, anchor in linked if anchor not in anchors(target)] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_told_of_exists(page: Path) -> None:
    told = re.findall(
        r"`callengine ([a-z]+)|^callengine ([a-z]+)|/callengine ([a-z]+)", page.read_text("utf-8"), re.M
    )
    known = {file.stem for file in COMMANDS.glob("[a-z]*.py")}
    assert {next(filter(None, names)) for names in told} <= known


def test_every_dependency_has_its_reason() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    page = (ROOT / "docs/decisions/002-dependencies.md").read_text("utf-8").lower()
    project = told["project"]
    listed = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *told["dependency-groups"]["test"],
    ]
    names = [re.split("[>=]", one)[0].lower().removeprefix("pytest") for one in listed]
    assert [name for name in names if name not in page] == []


def test_every_metric_told_of_exists() -> None:
    table = (ROOT / "docs/operating.md").read_text("utf-8").partition("| metric")[2].partition("\n\n")[0]
    told = {
        name.removesuffix("_total")
        for name in re.findall(r"`([a-z_]+)(?:\{[a-z]+\})?`(?=[^|]*\|[^|]*\|$)", table, re.M)
    }
    collected = [*EngineMetrics().registry.collect(), *WorkerMetrics().registry.collect()]
    there = {metric.name.removeprefix("callengine_") for metric in collected}
    assert told >= {"ari_connected", "calls", "journal_degraded"}
    assert told <= there


@pytest.mark.parametrize("unit", OURS, ids=named)
def test_a_unit_runs_a_command_and_hands_it_credentials_that_are_settings(unit: Path) -> None:
    text = unit.read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=/usr/bin/callengine ([a-z]+)$", text, re.M)
    assert (COMMANDS / f"{command}.py").exists()
    credentials = re.findall(r"^LoadCredential=([a-z_]+):/etc/callengine/credentials/\1$", text, re.M)
    assert credentials
    assert len(credentials) == text.count("\nLoadCredential=")
    assert {credential.replace("__", ".") for credential in credentials} <= set(settings_names(Settings))


@pytest.mark.parametrize(
    ("unit", "setting"),
    [("callengine-engine", "cel"), ("callengine-engine", "recordings"), ("callengine-worker", "recordings")],
)
def test_a_unit_may_write_where_the_defaults_of_the_settings_have_it_write(unit: str, setting: str) -> None:
    text = (ROOT / f"systemd/{unit}.service").read_text("utf-8")
    writable = [path for line in re.findall(r"^ReadWritePaths=(.+)$", text, re.M) for path in line.split()]
    written: Path = getattr(Asterisk(), setting)
    folder = written.parent if written.suffix else written
    assert f"-{folder}" in writable


@pytest.mark.parametrize("unit", SERVERS, ids=named)
def test_a_unit_is_ended_when_its_event_loop_stands_still(unit: Path) -> None:
    text = unit.read_text("utf-8")
    assert re.findall(r"^(?:Type|Restart)=(.+)$", text, re.M) == ["notify", "always"]
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)$", text, re.M)
    assert 10 <= int(seconds) <= 60


@pytest.mark.parametrize("unit", OURS, ids=named)
def test_a_system_call_that_a_library_tries_is_refused_and_kills_nobody(unit: Path) -> None:
    text = unit.read_text("utf-8")
    assert "SystemCallFilter=~@privileged @resources" in text
    assert "SystemCallErrorNumber=EPERM" in text


@pytest.mark.parametrize("unit", UNITS, ids=named)
def test_a_unit_asks_for_more_descriptors_than_a_client_can_take(unit: Path) -> None:
    (limit,) = re.findall(r"^LimitNOFILE=(\d+)$", unit.read_text("utf-8"), re.M)
    assert int(limit) >= 4096, "systemd's own soft limit is 1024"


def test_the_guide_makes_the_folders_that_the_settings_name() -> None:
    guide = (ROOT / "docs/operating.md").read_text("utf-8")
    made = set(re.findall(r"`install -d [^`]* (/\S+)`", guide))
    asterisk = Asterisk()
    assert made >= {str(asterisk.recordings), str(asterisk.cel.parent)}


def test_the_folders_that_the_settings_name_are_made_with_the_rights_that_the_guide_names() -> None:
    made = re.findall(
        r"^d (\S+) (\d+) (\S+) (\S+)$", (ROOT / "systemd/callengine.tmpfiles").read_text(), re.M
    )
    rights = {path: f"-o {owner} -g {group} -m {mode}" for path, mode, owner, group in made}
    guide = (ROOT / "docs/operating.md").read_text("utf-8")
    asterisk = Asterisk()
    for folder in map(str, (asterisk.recordings, asterisk.cel.parent)):
        assert f"`install -d {rights[folder]} {folder}`" in guide


def test_strangers_are_kept_out_over_both_internet_protocols() -> None:
    conf = (ROOT / "asterisk/etc/pjsip.conf").read_text()
    assert re.findall(r"^deny = (\S+)", conf, re.M) == ["0.0.0.0/0", "::/0"]


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text("utf-8")
    assert [page.name for page in DECISIONS if f"({page.name})" not in index] == []


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:3] for page in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    assert [page.read_text("utf-8")[:6] for page in DECISIONS] == [f"# {number} " for number in numbers]


def test_every_page_of_docs_is_in_its_index() -> None:
    index = (ROOT / "docs/README.md").read_text("utf-8")
    pages = [page.name for page in ROOT.glob("docs/*.md") if page.name != "README.md"]
    assert [name for name in pages if f"({name})" not in index] == []


def test_a_file_names_a_decision_by_its_whole_name() -> None:
    files = [file for folder in FOLDERS for file in folder.rglob("*") if file.suffix in SOURCES]
    files += [ROOT / "pyproject.toml", *ROOT.glob("*.md")]
    references = [
        (named(file), decision)
        for file in files
        if file not in (OLD_NUMBER, Path(__file__))
        for decision in re.findall(r"\bdecisions?[/ ]([0-9]{3}[\w.-]*)", file.read_text("utf-8"))
    ]
    known = {page.name for page in DECISIONS}
    assert len({decision for _, decision in references}) > 5
    assert [(file, decision) for file, decision in references if decision.rstrip(".") not in known] == []
