"""A route as a tree: the steps there are, and how one is written, as a mapping with one key."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from dialplan.model import StepPath, at_least_one
from dialplan.steps.announce import Announce
from dialplan.steps.hangup import Hangup
from dialplan.steps.hours import Hours
from dialplan.steps.ring import Ring
from dialplan.steps.voicemail import Voicemail

# What is performed. The other steps only decide.
Action = Announce | Ring | Voicemail | Hangup
AnyStep = Action | Hours

STEPS: Mapping[str, type[AnyStep]] = {
    "announce": Announce,
    "hangup": Hangup,
    "hours": Hours,
    "ring": Ring,
    "voicemail": Voicemail,
}


def one_key(written: Any) -> Any:
    """`{"ring": {...}}` -> `{"step": "ring", ...}`: the one key names the step; a setting may stand alone."""
    if isinstance(written, AnyStep):
        return written
    if not isinstance(written, dict) or len(written) != 1:
        raise ValueError("write one step with its settings, as in  ring: {to: [+3221112233], seconds: 20}")
    ((name, settings),) = written.items()
    if name not in STEPS:
        near = "".join(f"; did you mean `{other}`?" for other in get_close_matches(name, STEPS, 1))
        raise ValueError(f"`{name}` is not a step; the steps are {', '.join(sorted(STEPS))}{near}")
    if not isinstance(settings, dict):
        settings = {STEPS[name].alone: settings}
    if "step" in settings:
        raise ValueError(f"`step` is not a setting of {name}; remove it")
    return {"step": name, **settings}


Step = Annotated[Annotated[AnyStep, Field(discriminator="step")], BeforeValidator(one_key)]
Steps = Annotated[tuple[Step, ...], AfterValidator(at_least_one)]

for _model in STEPS.values():
    _model.model_rebuild(_types_namespace={"Steps": Steps})


def visit(steps: Steps, at: StepPath = ("route",)) -> Iterator[tuple[StepPath, AnyStep]]:
    """Every step of a route, those of its branches too, each with its path in the file."""
    for index, step in enumerate(steps):
        here = (*at, index, step.step)
        yield here, step
        for branch in step.branches:
            yield from visit(getattr(step, branch) or (), (*here, branch))
