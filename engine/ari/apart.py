"""The contract with apart.conf: destinations that ring later than others, are asked while others ring, or are
reached by different trunks."""

from collections.abc import Sequence

from dialplan.address import bare
from dialplan.destination import Destination
from engine.ari.operations import Variables
from engine.line import Connect

CONTEXT, LEG_CONTEXT = "apart", "apart-leg"
LOCAL = "Local/"  # how the names of the channels begin that are between the two Dials
# After its ring time a leg may still be hearing prompts: whisper, three questions, the announcement.
LONGEST_PROMPTS_SECONDS = 300


def rings_apart(connect: Connect) -> bool:
    """Whether one Dial cannot do it: it ends all other legs as soon as one answers, and rings all at once.

    Nor can it fail over numbers beside SIP addresses, which have no next carrier.
    """
    several = len(connect.to) > 1
    domains = {to.domain for to in connect.to}
    return several and (
        len(domains) > 1 or any(to.delay or (to.confirm and connect.question) for to in connect.to)
    )


def apart(values: Variables, connect: Connect, presentation: str) -> Variables:
    """Return the variables that [apart] reads, from those of [connect].

    `presentation`: Dial's options if all destinations are shown the same number, else "".
    """
    dialled = str(values["CONNECT_TO"]).split("&")
    legs = list(enumerate(zip(connect.to, dialled, delays(connect.to), strict=True), start=1))
    inherited = {name.replace("_", "__", 1): text for name, text in values.items() if name.startswith("_")}
    return {
        **{name: text for name, text in values.items() if not name.startswith("_")},
        **inherited,
        "CONNECT_APART": "&".join(f"{LOCAL}{place}@{LEG_CONTEXT}" for place, _ in legs),
        "CONNECT_LONGEST": str(connect.seconds + LONGEST_PROMPTS_SECONDS),
        "__APART": "&".join(str(place) for place, _ in legs),
        "__APART_OPTIONS": presentation,
        "__CONNECT_LIMIT": str(connect.limit),
        **{f"__APART_TO_{place}": bare(to.number) for place, (to, _, _) in legs},
        **{
            f"__APART_{place}": f"{delay}-{connect.seconds - delay}-{endpoint}"
            for place, (_, endpoint, delay) in legs
        },
    }


def delays(to: Sequence[Destination]) -> list[int]:
    """Return after how many seconds each rings: the first of those that are left rings at once."""
    first = min(destination.delay or 0 for destination in to)
    return [(destination.delay or 0) - first for destination in to]
