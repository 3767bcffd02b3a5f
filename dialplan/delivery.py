"""How a message reaches its owner, according to the routing when the call came in."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

Format = Literal["mp3", "wav", "opus"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """`to`: addresses that all get the message. `then`: gets it if none of them can be reached.

    `zone`: the number's time zone. `audio`: the format of the audio.
    """

    to: tuple[str, ...]
    then: str | None
    language: str
    audio: Format
    zone: str
    require_tls: bool
    label: str  # the owner's name for the number, or empty
    path: tuple[str, ...] = ()  # the choices made in menus

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "to": tuple(fields["to"]), "path": tuple(fields["path"])})
