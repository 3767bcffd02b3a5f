"""The prompts of a voicemail that are brought along, so that every owner is heard in his language."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from config.errors import ConfigErrors
from config.load import load
from config.policy import Policy
from config.prompts import built_in
from dialplan.names import LANGUAGES
from dialplan.prompt import VOICEMAIL_PROMPTS, Prompt
from dialplan.routing import BUILT_IN, Routing
from tests.unit.folders import NUMBER, good_folder, write_prompt

VOICEMAIL = f"{NUMBER}  - voicemail: {{}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder of a Dutch owner whose number takes messages."""
    good_folder(tmp_path)
    (tmp_path / "owners" / "acme.yaml").write_text("name: ACME\nlanguage: nl\nmail: office@acme.example\n")
    (tmp_path / "numbers" / "main.yaml").write_text(VOICEMAIL)
    return tmp_path


def path_of(routing: Routing, name: str, language: str) -> Path:
    prompt = routing.prompt(name, language)
    assert prompt is not None
    return prompt.path


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", VOICEMAIL_PROMPTS)
def test_each_is_there_in_each_language(folder: Path, name: str, language: str) -> None:
    prompt = load(folder, Policy()).prompt(name, language)
    assert prompt is not None
    assert prompt.seconds > 0.1
    assert prompt.path.parent.name in (language, "voices")


def test_they_are_not_counted_as_the_folders_own(folder: Path) -> None:
    assert [prompt.name for prompt in load(folder, Policy()).own_prompts] == ["welcome"]


def test_the_folders_own_wins_in_whatever_language(folder: Path) -> None:
    write_prompt(folder / "prompts" / "goodbye.wav")
    write_prompt(folder / "prompts" / "fr" / "beep.wav")
    routing = load(folder, Policy())
    assert path_of(routing, "goodbye", "nl") == folder / "prompts" / "goodbye.wav"
    assert path_of(routing, "beep", "fr") == folder / "prompts" / "fr" / "beep.wav"
    assert folder not in path_of(routing, "beep", "nl").parents


def without(*names: str) -> Mapping[str, Prompt]:
    return {name: prompt for name, prompt in built_in().items() if name.removeprefix(BUILT_IN) not in names}


def test_one_that_is_missing_in_an_owners_language_is_told_before_any_caller_misses_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.load.built_in", lambda: without("nl/goodbye", "fr/greeting"))
    with pytest.raises(ConfigErrors) as wrong:
        load(folder, Policy())
    assert str(wrong.value).removeprefix(str(folder)) == (
        "/numbers/main.yaml:7:5: route.voicemail: there is no prompt `goodbye` in nl; "
        "put the file at prompts/nl/goodbye.wav"
    )


def test_one_that_is_missing_may_be_the_operators_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.load.built_in", lambda: without("nl/goodbye"))
    write_prompt(folder / "prompts" / "nl" / "goodbye.wav")
    assert load(folder, Policy()).numbers
