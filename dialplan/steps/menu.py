"""`menu`: let the caller choose by pressing keys."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from dialplan.names import Language
from dialplan.references import PromptSetting
from dialplan.result import Answer, Choice, Verdict, final
from dialplan.route import Branch, Steps
from dialplan.step import Case, Facts, Plan, StepModel, Turn
from dialplan.walk import walk

BACK, END = "*", "#"
INVALID, TIMEOUT = Choice("invalid"), Choice("timeout")
# A caller comes back to one menu so often, at most: every walk ends.
MOST_ROUNDS = 10


def _check_keys[T](keys: dict[str, T]) -> dict[str, T]:
    for key in keys:
        if not re.fullmatch(r"[0-9]{1,8}|[*#]", key, re.ASCII):
            raise ValueError(f"`{key}` is not a key; write 0 to 9, several digits as in 101, '*' or '#'")
    if END in keys and any(len(key) > 1 for key in keys):
        raise ValueError("`#` ends an entry of several digits; give it no steps, or write keys of one digit")
    return keys


class Menu(StepModel):
    """Play a prompt, and go on by the key that the caller presses; the first key ends the prompt.

        - menu:
            prompt: choose
            keys:                   steps for each key; they are the rest of the route
              1: [...]
              2: [...]
              101: [...]            of several digits: # ends them, or 3 s without another key
            languages: {3: nl, 4: fr}       keys that only choose a language: nl, fr, de, es or en
            seconds: 5              to think after the prompt, 1 to 20
            tries: 3                how often the prompt is heard, 1 to 5
            invalid: [...]          steps after the last try, where the caller pressed something else
            timeout: [...]          steps after the last try, where the caller pressed nothing
            answer: true            answer the call first

    Without `invalid` or `timeout` the route goes on with the next step. `*` leads back to the menu that this
    one is in, and in the outermost plays it again, unless `keys` has steps for it. Keys pressed before the
    first menu do not count; in later ones a caller who knows them may be ahead of the prompt.

    A language holds for the rest of the call: prompts, the greeting of a voicemail, and its mail. The route
    goes on with the next step then. A prompt that is not there in this language (prompts/fr/welcome.wav) is
    played as before; destinations hear the owner's language.

    Without `answer` the call stays unanswered, and the caller pays nothing; but not every network sends keys
    then. With it the caller's charging begins here: `answered` in the call record.
    """

    alone: ClassVar = "prompt"
    chooses: ClassVar = True

    step: Literal["menu"] = "menu"
    prompt: PromptSetting
    keys: Annotated[dict[str, Steps], AfterValidator(_check_keys), Field(exclude=True, default_factory=dict)]
    languages: Annotated[
        dict[str, Language],
        AfterValidator(_check_keys),
        Field(default_factory=dict, validate_default=True),
    ]
    seconds: Annotated[int, Field(ge=1, le=20)] = 5
    tries: Annotated[int, Field(ge=1, le=5)] = 3
    invalid: Branch = None
    timeout: Branch = None
    answer: bool = False

    @field_validator("languages")
    @classmethod
    def _go_with_keys(cls, languages: dict[str, Language], info: ValidationInfo) -> dict[str, Language]:
        keys = info.data.get("keys")
        if keys == {} and not languages:
            raise ValueError("there are no keys; write at least one, as in  keys: {1: [...], 2: [...]}")
        if both := sorted(set(languages) & set(keys or {})):
            raise ValueError(f"`{both[0]}` is in `keys` too; let it stand in one of the two")
        _check_keys(dict.fromkeys([*(keys or {}), *languages]))
        return languages

    def plan(self, facts: Facts, so_far: Verdict) -> Plan:
        for _ in range(MOST_ROUNDS):
            answer = yield self
            if isinstance(answer, Choice) and (language := self.languages.get(answer)):
                yield Turn(self.step, f"from now on in {language}", language)
                return so_far
            if answer == BACK and BACK not in self._entries:
                if self._is_inner:
                    return Verdict(so_far.result, final=True, back=True)
                continue
            branch = self._branch(answer)
            if branch is None:
                return so_far
            verdict = final((yield from walk(branch, facts, so_far)))
            if not verdict.back:
                return verdict
        return so_far

    def entered(self, pressed: str) -> Choice | None:
        """Return the choice that these keys make, pressed in this order; None while more may follow."""
        entries = self._entries
        if pressed == BACK and BACK not in entries:
            return Choice(BACK)
        entry = pressed if END in entries else pressed.removesuffix(END)
        if entry == pressed and any(key != entry and key.startswith(entry) for key in entries):
            return None
        return Choice(entry) if entry in entries else INVALID

    def ended(self, pressed: str) -> Choice:
        """Return the choice that these keys make if no other follows; `pressed` may be empty."""
        if not pressed:
            return TIMEOUT
        return Choice(pressed) if pressed in self._entries else INVALID

    def supposed(self, case: Case) -> Answer:
        pressed = case.presses.pop(0) if case.presses else TIMEOUT
        return TIMEOUT if pressed == TIMEOUT else self.entered(pressed) or self.ended(pressed)

    @property
    def summary(self) -> str:
        return f"{self.prompt}, keys {' '.join(self._entries)}"

    @property
    def _entries(self) -> tuple[str, ...]:
        """What the caller may enter."""
        return (*self.keys, *self.languages)

    @property
    def _is_inner(self) -> bool:
        """Whether this menu is in the steps of another."""
        return self.step in self.path[:-1]

    def _branch(self, answer: Answer) -> Steps | None:
        if answer == INVALID:
            return self.invalid
        return self.keys.get(answer, self.timeout) if isinstance(answer, Choice) else self.timeout
