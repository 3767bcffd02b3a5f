"""How a message reaches its owner: what was agreed when the call came in, kept until it is settled."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Format = Literal["mp3", "wav", "opus"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """`to` all get the message; `then` does when none of them can be reached.

    `zone` is the number's time zone, `audio` the format of the sound.
    """

    to: tuple[str, ...]
    then: str | None
    language: str
    audio: Format
    zone: str
    require_tls: bool
    label: str  # what the owner calls the number, or empty
    path: tuple[str, ...] = ()  # the choices made in menus

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        return cls(**{**told, "to": tuple(told["to"]), "path": tuple(told["path"])})
