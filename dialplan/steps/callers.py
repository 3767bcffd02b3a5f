"""`callers`: who calls?"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from dialplan.caller_kind import CallerKind, CallerKinds
from dialplan.model import Model, at_least_one
from dialplan.result import Verdict, final
from dialplan.route import Branch, Steps
from dialplan.step import Facts, Plan, StepModel, Turn
from dialplan.walk import walk

# What `block` may be, for editors: a word, or a word with its prompt.
Blocked = Literal["reject", "busy", "voicemail"] | dict[Literal["message", "voicemail"], Any]

BLOCK_WORDS = {
    "reject": [{"hangup": "rejected"}],
    "busy": [{"hangup": "busy"}],
    "voicemail": [{"voicemail": {}}],
}


def _block(written: Any) -> Any:
    """Return the steps that `block` stands for."""
    match written:
        case None | tuple():
            return written
        case str() if written in BLOCK_WORDS:
            return BLOCK_WORDS[written]
        case {"message": prompt, **others} if not others:
            return [{"announce": prompt}, {"hangup": "rejected"}]
        case {"voicemail": settings, **others} if not others:
            return [{"voicemail": settings}]
    raise ValueError("write reject, busy, voicemail, {voicemail: GREETING} or {message: PROMPT}")


class Group(Model):
    """Callers who take the same steps: `then`, or those of `block`."""

    who: Annotated[CallerKinds, AfterValidator(at_least_one), Field(examples=["withheld"])]
    then: Branch = None
    block: Annotated[Steps | None, BeforeValidator(_block, Blocked), Field(exclude=True)] = None

    @classmethod
    def noun(cls) -> str:
        return "a group of callers"

    @model_validator(mode="after")
    def _has_one_treatment(self) -> Self:
        if (self.then is None) == (self.block is None):
            raise ValueError("write either `then` with steps, or `block`: reject, busy, voicemail")
        return self

    def kind_of(self, facts: Facts) -> CallerKind | None:
        """Return the kind in `who` that fits the caller; None if none does."""
        return next((kind for kind in self.who if kind.fits(facts.caller, facts.lists)), None)


class Callers(StepModel):
    """Give some callers other steps. The first group that fits a caller counts; for others the route goes on.

        - callers:
            - who: [withheld, unknown]      no number to show, or none that can be used
              block: reject                 or busy, voicemail, {voicemail: GREETING}, {message: PROMPT}
            - who: {list: nuisance}         the numbers in callers/nuisance.txt, one a line, at most 100,000
              block: {message: closed}      play prompts/closed.wav, then reject
            - who: [+3247, NL, BE mobile]   a prefix, a country, its mobile or fixed numbers
              then: [...]                   steps; they are the rest of the route

    A prefix may be a whole number. `mobile` and `fixed` alone mean any country; a number that can be either,
    as in the United States, is both. Where the trunk sends callers' numbers in national form, the setting
    `country` says of which country; without it such a caller is `unknown`.
    """

    alone: ClassVar = "groups"

    step: Literal["callers"] = "callers"
    groups: Annotated[
        tuple[Group, ...],
        AfterValidator(at_least_one),
        Field(examples=["[{who: withheld, block: reject}]"]),
    ]

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        for group in self.groups:
            if kind := group.kind_of(facts):
                yield Turn(self.step, f"the caller is of: {kind}")
                return final((yield from walk(group.then or group.block or (), facts, so_far)))
        yield Turn(self.step, "the caller is in none of the groups")
        return so_far
