"""The path of a call in an owner's words: each turn with its reason, each step with its outcome.

The route says its reasons in English, one sentence a kind; what is not known here is shown as it is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialplan.calendar import OWN_DAY
from dialplan.model import Model
from dialplan.result import Answer, Choice
from dialplan.step import Facts, StepModel, Turn
from portal.texts import texts
from storage.records import LegRecord
from storage.retracing import PastStep

DAY = "(mon|tue|wed|thu|fri|sat|sun)"
OWN = "(?P<own>, on a day with hours of its own)?"
# The sentences of dialplan/opening.py, steps/ and strategy.py, each with its name in the texts.
REASONS: Sequence[tuple[str, re.Pattern[str]]] = [
    ("open", re.compile(rf"open: {DAY} (?P<time>\S+) is in (?P<span>.+)")),
    ("holiday", re.compile(rf"holiday: (?P<name>.+?){OWN}; (?P<next>.+)")),
    ("event", re.compile(r"closed: (?P<name>.+), in the calendar (?P<calendar>[a-z0-9_-]+)")),
    ("closed", re.compile(rf"closed: {DAY} (?P<time>\S+?){OWN}; (?P<next>.+)")),
    ("opens", re.compile(rf"opens {DAY} (?P<date>\S+) (?P<time>\S+)")),
    ("opens_not", re.compile(r"opens on none of the next (?P<days>\d+) days")),
    ("caller_of", re.compile(r"the caller is of: (?P<kind>.+)")),
    ("caller_other", re.compile(r"the caller is in none of the groups")),
    ("share", re.compile(r"call (?P<nth>\d+) of each \d+: branch (?P<branch>\d+), .*?(?P<percent>\d+) %")),
    ("sub_route", re.compile(r"the steps of routes/(?P<name>.+)\.yaml")),
    ("switch_on", re.compile(r"`(?P<name>.+)` is on")),
    ("switch_off", re.compile(r"none is on of: (?P<names>.+)")),
    ("by_chance", re.compile(r"by chance: (?P<names>.+)")),
    ("in_turn", re.compile(r"in turn: (?P<names>.+)")),
    ("longest_idle", re.compile(r"longest without a conversation first: (?P<names>.+)")),
    ("percent", re.compile(r"call (?P<nth>\d+) of each \d+: (?P<name>.+), (?P<percent>\d+) %")),
    ("known_first", re.compile(r"(?P<name>.+) first, which talked with this caller")),
    ("new_caller", re.compile(r"as written: a new caller")),
    ("no_number", re.compile(r"as written: the caller has no number")),
    ("language", re.compile(r"from now on in (?P<language>\w+)")),
    ("not_counted", re.compile(r"not counted: the caller has no number")),
    ("no_message", re.compile(r"no message taken: (?P<detail>.+)")),
    ("without", re.compile(r"without (?P<name>.+?): (?P<why>.+)")),
    ("no_room", re.compile(r"as many calls as it may have")),
    ("not_reachable", re.compile(r"not reachable lately")),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A turn, or a step. `what`: its kind in words; `legs`: the attempts of a past step."""

    what: str
    text: str
    outcome: str = ""
    legs: tuple[LegRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A step of a route, with its branches: each has a name and steps."""

    what: str
    text: str
    branches: tuple[tuple[str, tuple["Branch", ...]], ...] = ()


def lines(
    path: Sequence[Turn | PastStep | tuple[StepModel, Answer]], language: str, facts: Facts | None = None
) -> Iterator[Line]:
    """The path of a past or a supposed call. `facts`: of the call, for the names of holidays."""
    for node in path:
        if isinstance(node, Turn):
            yield Line(step_word(node.step, language), reason(node.why, language, facts))
        elif isinstance(node, PastStep):
            yield Line(*described(node.step, language), answer(node.step, node.outcome, language), node.legs)
        else:
            step, outcome = node
            yield Line(*described(step, language), answer(step, outcome, language))


def reason(why: str, language: str, facts: Facts | None = None) -> str:
    """The reason of a turn, in this language."""
    words = texts(language)["reasons"]
    for name, pattern in REASONS:
        if match := pattern.fullmatch(why):
            values = {key: value or "" for key, value in match.groupdict().items()}
            for key in ("next", "why"):
                if key in values:
                    values[key] = reason(values[key], language, facts)
            if name == "holiday":
                values["name"] = holiday(values["name"], language, facts)
            if "own" in values:
                values["own"] = words["own_hours"] if values["own"] else ""
            return str(words[name]).format(**values)
    return why


def holiday(name: str, language: str, facts: Facts | None) -> str:
    """The name of a holiday: the calendar has it in its country's language."""
    if name == OWN_DAY:
        return str(texts(language)["reasons"]["own_day"])
    return facts.calendar.name_in(language, name, facts.now.astimezone(facts.zone).year) if facts else name


def route(steps: Sequence[StepModel], language: str) -> tuple[Branch, ...]:
    """A whole route, as a tree."""
    return tuple(Branch(*described(step, language), tuple(_branches(step, language))) for step in steps)


def _branches(step: StepModel, language: str) -> Iterator[tuple[str, tuple[Branch, ...]]]:
    for name, steps in _steps_in(vars(step)):
        yield branch_name(step, name, language), route(steps, language)


def _steps_in(settings: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Sequence[StepModel]]]:
    """Every branch in these settings, with the name under which it is written."""
    for key, value in settings.items():
        name = f"{within} {key}".strip()
        if isinstance(value, tuple) and value and all(isinstance(it, StepModel) for it in value):
            yield name, value
        elif isinstance(value, tuple):
            for place, it in enumerate(value, start=1):
                if isinstance(it, Model) and not isinstance(it, StepModel):
                    yield from _steps_in(vars(it), f"{name} {place}".strip())
        elif isinstance(value, dict):
            yield from _steps_in(value, name)


def branch_name(step: StepModel, name: str, language: str) -> str:
    """The name of a branch: an outcome, a key of a menu, a group of callers."""
    words = texts(language)
    last = name.rsplit(maxsplit=1)[-1] if name else ""
    if name.startswith("keys "):
        return str(words["branches"]["key"]).format(key=last)
    if step.step == "switch":
        return str(words["branches"]["switch"]).format(name=last)
    found = re.fullmatch(r"(groups|parts) (\d+) (then|block)", name)
    if found:
        return described_part(step, found[1], int(found[2]), language)
    named = words["branches"].get(last) or words["step_outcomes"].get(last)
    return str(named or name)


def described_part(step: StepModel, setting: str, place: int, language: str) -> str:
    """A group of callers by who they are, a share by its part."""
    words, part = texts(language)["branches"], getattr(step, setting)[place - 1]
    if setting == "groups":
        return str(words["group"]).format(who=", ".join(map(str, part.who)))
    return str(words["part"]).format(percent=part.percent)


def described(step: StepModel, language: str) -> tuple[str, str]:
    """What a step does, and its settings in a few words."""
    texts_of_it = step.summary
    if step.destinations:
        texts_of_it = ", ".join(str(to) for to in step.destinations)
    elif step.step in ("callers", "share", "hours", "switch"):
        texts_of_it = ""
    elif step.prompts:
        texts_of_it = ", ".join(step.prompts)
    return step_word(step.step, language), texts_of_it


def step_word(step: str, language: str) -> str:
    return str(texts(language)["steps"].get(step, step))


def answer(step: StepModel, outcome: Answer | None, language: str) -> str:
    """The outcome of a step, "" where it has only one or none is known."""
    if outcome is None or not step.has_outcome:
        return ""
    words = texts(language)["step_outcomes"]
    if isinstance(outcome, Choice):
        return str(words.get(str(outcome)) or words["chosen"].format(choice=outcome))
    return str(words.get(outcome.value, outcome.value))
