"""Sub-routes: the steps of routes/NAME.yaml, put in place wherever a route uses them, before it is validated.

So a sub-route is validated for each number that uses it, and its steps have paths, prompts and destinations
like any others. An error in it has its place in its own file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from config.errors import At, FileError
from config.reading import Reading, Text
from config.yaml_text import MAX_NODES, Document
from dialplan.steps import STEPS
from dialplan.sub_route import SubRoute

MOST_WITHIN = 8  # sub-routes within one another
# Replaces a sub-route that cannot be used; the error is reported.
NOTHING = [{"hangup": "failed"}]


@dataclass(frozen=True, slots=True)
class Expanded:
    """A file with all sub-routes in place: how many values it has then, how many are within one another."""

    text: Text
    values: int
    depth: int


@dataclass(slots=True)
class SubRoutes:
    """The sub-routes of a folder, by name; `errors`: what is wrong with the uses of them."""

    texts: Mapping[str, Text]
    errors: list[FileError] = field(default_factory=list)
    _expanded: dict[str, Expanded] = field(default_factory=dict)
    _within: list[str] = field(default_factory=list)

    def check(self, reading: Reading) -> None:
        """Add the errors of all sub-routes and of their uses, also of those that no number uses."""
        for name in self.texts:
            reading.model(self._named(name).text, SubRoute)
        reading.errors += self.errors

    def put_in_place(self, texts: Iterable[Text]) -> list[Text]:
        """These files with the sub-routes that they use."""
        return [self._expand(text).text for text in texts]

    def _named(self, name: str) -> Expanded:
        if name not in self._expanded:
            self._within.append(name)
            self._expanded[name] = self._expand(self.texts[name])
            self._within.pop()
        return self._expanded[name]

    def _expand(self, text: Text) -> Expanded:
        if not any(at and _uses_file(at[-1]) for at in text.document.places):
            return Expanded(text, len(text.document.places), 0)
        used: dict[At, Expanded] = {}
        value = self._filled(text.document.value, (), text, used)
        whole = replace(
            text,
            document=Document(value, text.document.places),
            used={at: inner.text for at, inner in used.items()},
        )
        values = len(text.document.places) + sum(inner.values for inner in used.values())
        return Expanded(whole, values, 1 + max((inner.depth for inner in used.values()), default=-1))

    def _filled(self, value: Any, at: At, text: Text, used: dict[At, Expanded]) -> Any:
        match value:
            case list():
                return [self._filled(entry, (*at, place), text, used) for place, entry in enumerate(value)]
            case dict() if at and isinstance(at[-1], int) and len(value) == 1 and _uses_file(*value):
                ((step, settings),) = value.items()
                return {step: self._used(step, settings, (*at, step), text, used)}
            case dict():
                return {key: self._filled(entry, (*at, key), text, used) for key, entry in value.items()}
        return value

    def _used(self, step: str, settings: Any, at: At, text: Text, used: dict[At, Expanded]) -> Any:
        """The settings of a step that uses a sub-route, with its steps; as they are where they name none."""
        setting = STEPS[step].alone
        settings = settings if isinstance(settings, dict) else {setting: settings}
        name = settings.get(setting)
        if not isinstance(name, str):
            return settings | {"route": NOTHING}
        what = self._objection(name)
        if "route" in settings:
            what = f"`route` is not a setting of {step}; write the steps in a file of routes/"
        elif what is None and sum(inner.values for inner in [*used.values(), self._named(name)]) > MAX_NODES:
            what = f"with its sub-routes, more than {MAX_NODES:,} values in one route; use fewer"
        if what is not None:
            self.errors.append(text.error(at, what))
            return settings | {"route": NOTHING}
        inner = used[at] = self._named(name)
        return settings | {"route": _steps_of(inner.text)}

    def _objection(self, name: str) -> str | None:
        """Return why this sub-route cannot be used here; None if it can."""
        if name not in self.texts:
            near = get_close_matches(name, self.texts, 1)
            remedy = f"did you mean `{near[0]}`?" if near else f"write routes/{name}.yaml"
            return f"there is no sub-route `{name}`; {remedy}"
        if name in self._within:
            way = " -> ".join([*self._within[self._within.index(name) :], name])
            return f"{way}: a sub-route cannot use itself; remove one of these"
        if len(self._within) >= MOST_WITHIN or self._named(name).depth >= MOST_WITHIN:
            return f"more than {MOST_WITHIN} sub-routes within one another; write some of the steps here"
        return None


def _uses_file(step: Any) -> bool:
    return step in STEPS and STEPS[step].uses_file


def _steps_of(text: Text) -> Any:
    """The steps of a sub-route, right or wrong; where it has none, that is an error of its own file."""
    value = text.document.value
    return value.get("route", NOTHING) if isinstance(value, dict) else NOTHING
