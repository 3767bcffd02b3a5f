"""Every sample is a routing folder that could go live, and the settings it teaches are all there are."""

from pathlib import Path

import pytest

import config
from config.load import load
from config.policy import Policy
from dialplan.number import Owner, ServiceNumber
from dialplan.steps import STEPS

SAMPLES = Path(config.__file__).parent / "samples"
FOLDERS = sorted(folder.parent for folder in SAMPLES.glob("*/numbers"))
WRITTEN = "\n".join(file.read_text("utf-8") for file in SAMPLES.rglob("*.yaml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_sample_could_go_live(folder: Path) -> None:
    routing = load(folder, Policy())
    assert routing.numbers
    assert any(number.expect for number in routing.numbers.values())


def test_there_are_samples() -> None:
    assert {folder.name for folder in FOLDERS} >= {"dentist", "provider"}


def settings_of(step: str) -> set[str]:
    """Those of this step that are not written alone."""
    return set(STEPS[step].model_fields) - {"step", STEPS[step].alone}


@pytest.mark.parametrize(
    "setting",
    sorted(
        {
            *ServiceNumber.model_fields,
            *Owner.model_fields,
            *STEPS,
            "present",
            "present_if_refused",
            "label",
            "confirm",
            "max_calls",
            "whisper",
            "percent",
            "outcomes",
            "from",
            "nth",
            "presses",
            "live",
            "switch",
        }.union(*map(settings_of, STEPS))
    ),
)
def test_the_samples_show_every_setting(setting: str) -> None:
    assert f"{setting}:" in WRITTEN
