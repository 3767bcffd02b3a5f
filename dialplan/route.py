"""A route as it is written: a list of steps, each a mapping with one key, the step's name.

Steps are in a registry, not in a union type: the branches of a step may contain any step, itself too, and
`dialplan/steps/` registers the steps without a cycle of imports.
"""

import operator
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, reduce
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, TypeAdapter, ValidationInfo

from dialplan.model import LIST, Written, at_least_one
from dialplan.step import StepModel, visit

__all__ = ["STEPS", "Branch", "Steps", "register", "visit"]

# The steps that a route may be made of, by name. `dialplan.steps` registers them.
STEPS: dict[str, type[StepModel]] = {}


def register(*models: type[StepModel]) -> None:
    """Allow these steps in routes."""
    STEPS.update({model.noun(): model for model in models})


def read_step(written: Any, info: ValidationInfo) -> StepModel:
    """Parse a step written as `{"ring": {...}}`. Errors have its path."""
    if isinstance(written, StepModel):
        return written
    return _one_of(tuple(STEPS.values())).validate_python(_with_name(written), context=info.context)


@cache
def _one_of(models: tuple[type[StepModel], ...]) -> TypeAdapter[StepModel]:
    union: Any = reduce(operator.or_, models)
    return TypeAdapter(Annotated[union, Field(discriminator="step")])


def _with_name(written: Any) -> Mapping[str, Any]:
    """`{"ring": {...}}` -> `{"step": "ring", ...}`: the one key names the step; one setting may be alone."""
    if not isinstance(written, dict) or len(written) != 1:
        raise ValueError("write one step with its settings, as in  ring: {to: [+3221112233], seconds: 20}")
    ((name, settings),) = written.items()
    if name not in STEPS:
        near = get_close_matches(name, STEPS, 1)
        remedy = f"did you mean `{near[0]}`?" if near else f"the steps are {', '.join(sorted(STEPS))}"
        raise ValueError(f"`{name}` is not a step; {remedy}")
    if not isinstance(settings, dict) or STEPS[name].always_alone:
        settings = {STEPS[name].alone: settings}
    if "step" in settings:
        raise ValueError(f"`step` is not a setting of {name}; remove it")
    return {"step": name, **settings}


# In JSON Schema, `step` is replaced by the registered steps: config/editor_schema.py.
OneStep = Annotated[StepModel, PlainValidator(read_step), Written(step=True)]
Steps = Annotated[tuple[OneStep, ...], AfterValidator(at_least_one), LIST]
# The type of every setting that contains steps. `explain` does not show it among the settings of the step.
Branch = Annotated[Steps | None, Field(exclude=True)]
