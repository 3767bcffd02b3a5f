"""Everything that was agreed, for all numbers, as it stood when the routing folder was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dialplan.caller_list import CallerList
from dialplan.number import Owner, ServiceNumber, dial_key
from dialplan.prompt import Prompt

BUILT_IN = "built-in/"


@dataclass(frozen=True, slots=True)
class Routing:
    """`numbers` by dial key, `owners` by name, `prompts` by name or language/name, `digest` of all files.

    The prompts that callengine brings along are among them, as built-in/name or built-in/language/name.
    `music`: the SHA-256 of each prompt that callers hear instead of ringing. `lists`: callers, by list name.
    """

    numbers: Mapping[str, ServiceNumber]  # may unpack a number when asked for it, in 0.03 ms
    owners: Mapping[str, Owner]
    prompts: Mapping[str, Prompt]
    digest: str
    fallbacks: Mapping[str, str]  # by dial key, where written: what Asterisk dials when the engine is away
    music: frozenset[str] = frozenset()
    lists: Mapping[str, CallerList] = field(default_factory=dict)

    @property
    def own_prompts(self) -> list[Prompt]:
        """Those of the folder, without the ones brought along."""
        return [prompt for name, prompt in self.prompts.items() if not name.startswith(BUILT_IN)]

    @property
    def music_prompts(self) -> list[Prompt]:
        """Those that callers hear instead of ringing."""
        return [prompt for prompt in self.prompts.values() if prompt.sha256 in self.music]

    def number(self, dialled: str) -> ServiceNumber | None:
        """The number that was dialled, however the trunk spells it."""
        return self.numbers.get(dial_key(dialled))

    def owner(self, number: ServiceNumber) -> Owner:
        return self.owners[number.owner]

    def prompt(self, name: str, language: str) -> Prompt | None:
        """The prompt in that language, else the one for all languages, else the one brought along."""
        keys = (f"{language}/{name}", name, f"{BUILT_IN}{language}/{name}", f"{BUILT_IN}{name}")
        return next((self.prompts[key] for key in keys if key in self.prompts), None)
