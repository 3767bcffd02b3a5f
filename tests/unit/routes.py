"""Random routes, as an operator could write them."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from dialplan.number import ServiceNumber
from dialplan.result import Outcome
from dialplan.steps import Steps, visit

RING_OUTCOMES = [outcome for outcome in Outcome if outcome is not Outcome.DONE]
OPENINGS = [
    "mon-fri 09:00-12:30 13:30-17:30",
    "fri,sat 22:00-02:00",
    "daily 00:00-24:00",
    ["sun 10:00-11:00"],
]
type Raw = dict[str, Any]

prompts = st.sampled_from(["welcome", "closed", "all-busy"])
numbers = st.integers(2000000, 2999999).map(
    lambda tail: f"+322{tail}" if tail % 3 else f"sip:desk-{tail}@pbx.acme.example"
)
announces: st.SearchStrategy[Raw] = st.builds(lambda prompt: {"announce": prompt}, prompts)
hangups: st.SearchStrategy[Raw] = st.sampled_from([{"hangup": "busy"}, {"hangup": {"reason": "closed"}}])

voicemails: st.SearchStrategy[Raw] = st.sampled_from(
    [{"voicemail": "closed"}, {"voicemail": {}}, {"voicemail": {"seconds": "60"}}]
)


waits: st.SearchStrategy[Raw] = st.sampled_from(
    [{"wait": "5"}, {"wait": {"seconds": "9", "music": "welcome"}}]
)


def _step(name: str, *branches: str, **settings: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A step with random settings and any of its branches."""

    def extend(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
        optional = dict.fromkeys(branches, routes)
        return st.fixed_dictionaries(settings, optional=optional).map(lambda written: {name: written})

    return extend


ring = _step(
    "ring",
    "busy",
    "rejected",
    "no_answer",
    "unreachable",
    "congested",
    to=st.lists(
        numbers | numbers.map(lambda number: {"number": number, "hours": OPENINGS[0], "max_calls": "3"}),
        min_size=1,
        max_size=3,
        unique_by=lambda to: to["number"] if isinstance(to, dict) else to,
    ),
    strategy=st.sampled_from(["all", "in_order", "random", "round_robin", "longest_idle", "sticky"]),
)
own_days = st.sampled_from([{}, {"2026-12-24": "09:00-12:30", "12-25": "closed", "05-01": "22:00-02:00"}])
hours = _step("hours", "closed", "holiday", open=st.sampled_from(OPENINGS), on=own_days)
rate = _step("rate", "full", calls=st.sampled_from(["1", "5"]))
limit = _step("limit", "full", calls=st.sampled_from(["1", "5"]))
kinds = st.sampled_from(["withheld", "unknown", "+3247", "BE", "mobile", "NL fixed", {"list": "nuisance"}])
blocks = st.sampled_from(["reject", "busy", "voicemail", {"message": "closed"}])


def callers(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
    """One to three groups of callers, with steps of their own or blocked."""
    who = st.lists(kinds, min_size=1, max_size=2)
    branched = st.fixed_dictionaries({"who": who, "then": routes})
    blocked = st.fixed_dictionaries({"who": who, "block": blocks})
    return st.lists(branched | blocked, min_size=1, max_size=3).map(lambda groups: {"callers": groups})


def shares(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
    """Two branches, of which the second may be that the route goes on."""

    def parts(percent: int, first: list[Raw], second: list[Raw] | None) -> Raw:
        rest = {"percent": str(100 - percent)} | ({"then": second} if second else {})
        return {"share": [{"percent": str(percent), "then": first}, rest]}

    return st.builds(parts, st.integers(1, 99), routes, st.none() | routes)


def menus(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
    """One to three keys, of one digit or two."""
    keys = st.dictionaries(st.sampled_from(["1", "2", "0", "12", "*"]), routes, min_size=1, max_size=3)
    settings = {"prompt": prompts, "keys": keys}
    written = st.fixed_dictionaries(settings, optional={"invalid": routes, "timeout": routes})
    return written.map(lambda menu: {"menu": menu})


def switches(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
    """One or two switches."""
    branches = st.dictionaries(st.sampled_from(["closed", "strike"]), routes, min_size=1, max_size=2)
    return branches.map(lambda written: {"switch": written})


def pins() -> st.SearchStrategy[Raw]:
    """A switch that is put on by a PIN."""
    settings = st.sampled_from([{}, {"of": "owner"}, {"hours": "1"}])
    prompts = {"name": "closed", "ask": "pin", "on": "now-closed", "off": "open-again"}
    return settings.map(lambda written: {"switch_by_pin": prompts | written})


def uses(routes: st.SearchStrategy[list[Raw]]) -> st.SearchStrategy[Raw]:
    """A sub-route, put in place."""
    return routes.map(lambda route: {"use": {"name": "evening", "route": route}})


def _route(step: st.SearchStrategy[Raw]) -> st.SearchStrategy[list[Raw]]:
    return st.lists(step, min_size=1, max_size=3)


routes = st.recursive(
    _route(announces | hangups | voicemails),
    lambda inner: _route(
        announces
        | hangups
        | voicemails
        | waits
        | pins()
        | st.one_of(
            [
                branched(inner)
                for branched in (ring, hours, limit, rate, callers, shares, switches, uses, menus)
            ]
        )
    ),
    max_leaves=30,
)


def service_number(route: list[Raw], **settings: Any) -> ServiceNumber:
    """A number in Brussels with this route."""
    written = {"number": "+3270012345", "owner": "acme", "timezone": "Europe/Brussels", "route": route}
    return ServiceNumber.model_validate(written | settings)


def size(steps: Steps) -> int:
    """How many steps a route has; destinations may be rung one by one, with a reason each."""
    return sum(1 + 2 * len(step.destinations) for _, step in visit(steps))
