"""Everything that was agreed, for all numbers, as it stood when the routing folder was read."""

from collections.abc import Mapping
from dataclasses import dataclass

from dialplan.number import Owner, ServiceNumber, dial_key
from dialplan.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Routing:
    """`numbers` by dial key, `owners` by name, `prompts` by name or language/name, `digest` of all files."""

    numbers: Mapping[str, ServiceNumber]  # may unpack a number when asked for it, in 0.03 ms
    owners: Mapping[str, Owner]
    prompts: Mapping[str, Prompt]
    digest: str
    fallbacks: Mapping[str, str]  # by dial key, where written: what Asterisk dials when the engine is away

    def number(self, dialled: str) -> ServiceNumber | None:
        """The number that was dialled, however the trunk spells it."""
        return self.numbers.get(dial_key(dialled))

    def owner(self, number: ServiceNumber) -> Owner:
        return self.owners[number.owner]

    def prompt(self, name: str, language: str) -> Prompt | None:
        """The prompt in that language, else the one for all languages."""
        return self.prompts.get(f"{language}/{name}") or self.prompts.get(name)
