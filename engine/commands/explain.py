"""callengine explain: the path that a call would take, with the reason of each turn."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from dialplan.caller import UNKNOWN, Caller
from dialplan.expect import read_caller
from dialplan.number import Owner, RecordingPolicy, ServiceNumber
from dialplan.rehearse import Rehearsal, rehearse
from dialplan.result import Outcome, Result
from dialplan.steps import Action, Announce, Destination, Hangup, Present, Ring, Voicemail
from dialplan.walk import Facts, Turn

# What the caller's network is answered in the end (a test holds it against engine.ari.causes).
SIP: Mapping[Result, int] = {
    Result.ANSWERED: 200,
    Result.VOICEMAIL: 200,
    Result.REJECTED: 403,
    Result.CLOSED: 480,
    Result.NO_ANSWER: 480,
    Result.BUSY: 486,
    Result.FAILED: 500,
    Result.UNREACHABLE: 503,
}
RING_OUTCOMES = [outcome.value for outcome in Outcome if outcome is not Outcome.DONE]


def _read_from(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Caller:
    try:
        return UNKNOWN if text is None else read_caller(text)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


def _read_at(_ctx: click.Context, _param: click.Parameter, text: str | None) -> datetime:
    try:
        return datetime.now(UTC) if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write 2026-12-25 10:00 (the number's time) or 2026-12-25T09:00Z") from None


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("number")
@click.option(
    "--at", callback=_read_at, help="When, as 2026-12-25 10:00 in the number's time zone. Else: now."
)
@click.option("--from", "caller", callback=_read_from, help="Who calls: a number, or withheld.")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(RING_OUTCOMES),
    help="What comes of the first ring, of the second … Else: taken.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--settings", type=click.Path(path_type=Path), help="The settings file (allowed countries).")
def command(
    *,
    folder: Path,
    number: str,
    at: datetime,
    caller: Caller,
    outcomes: Sequence[str],
    form: str,
    settings: Path | None,
) -> None:
    """Print the path of a call to NUMBER by the routing FOLDER: each turn with its reason, each step.

    It is the very walk that a live call takes; only what comes of each step is supposed.
    """
    from engine.routing_folder import read_or_exit

    routing = read_or_exit(folder, settings)
    if (dialled := routing.number(number)) is None:
        raise click.ClickException(f"{number} is not a number of {folder}; a call to it is answered 404")
    now = at if at.tzinfo else at.replace(tzinfo=dialled.zone)
    facts = dialled.facts(now.astimezone(UTC), caller)
    call = rehearse(dialled, facts, [Outcome(outcome) for outcome in outcomes])
    told = Explanation(dialled, routing.owner(dialled), facts, call)
    as_json = form == "json"
    click.echo(json.dumps(told.data(), ensure_ascii=False, indent=2) if as_json else told.text())


@dataclass(frozen=True, slots=True)
class Explanation:
    """A supposed call, as text for people and as data for programs."""

    number: ServiceNumber
    owner: Owner
    facts: Facts
    call: Rehearsal

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        local = self.facts.now.astimezone(self.facts.zone)
        who = self.facts.caller.number or f"a caller whose number is {self.facts.caller.presentation}"
        yield f"{self.number.number} of {self.number.owner} ({self.owner.name})"
        yield f"called by {who} on {local:%a %Y-%m-%d %H:%M %Z}, {self.number.zone.key}"
        yield from self._recording()
        yield ""
        for index, passed in enumerate(self.call.path, start=1):
            yield f"{index:3}  {_line(passed)}"
        yield ""
        yield f"{self.call.result}: the caller's network is answered SIP {SIP[self.call.result]}"
        if self.call.unused:
            yield f"not used: --outcome {' '.join(self.call.unused)}; the call rings less often than that"

    def _recording(self) -> Iterator[str]:
        number, owner = self.number, self.owner
        if number.record is RecordingPolicy.OFF:
            return
        caller, destination = number.announcement(owner), number.statement(owner)
        if owner.destinations_know:
            hears = f"the caller hears {caller}, the destination has agreed to it"
        elif caller == destination:
            hears = f"caller and destination hear {caller}"
        else:
            hears = f"the caller hears {caller}, the destination {destination}"
        hours = owner.keep_recordings // timedelta(hours=1)
        kept = f"{hours // 24} days" if hours % 24 == 0 else f"{hours} hours"
        yield f"recorded ({number.record}): {hears}; kept for {kept}"

    def data(self) -> dict[str, Any]:
        """Turns and steps are named as in the journal: kind, step, why or outcome."""
        return {
            "number": self.number.number,
            "owner": self.number.owner,
            "at": self.facts.now.isoformat(),
            "timezone": self.number.zone.key,
            "caller": self.facts.caller.number or "",
            "withheld": self.facts.caller.withheld,
            "record": self.number.record,
            "path": [_entry(passed) for passed in self.call.path],
            "result": self.call.result,
            "sip": SIP[self.call.result],
            "unused_outcomes": self.call.unused,
        }


def _line(passed: Turn | tuple[Action, Outcome]) -> str:
    match passed:
        case Turn(step, why):
            return f"{step:9} {why}"
        case (Hangup() as step, _):
            return f"{step.step:9} {_settings(step)}"
        case (step, outcome):
            return f"{step.step:9} {_settings(step)} -> {outcome}"


def _settings(step: Action) -> str:
    match step:
        case Announce():
            return step.prompt
        case Ring():
            return f"{', '.join(map(_destination, step.to))} for {step.seconds} s"
        case Voicemail():
            return f"{step.prompt}, a message of at most {step.seconds} s"
        case Hangup():
            return step.reason


def _destination(to: Destination) -> str:
    return str(to) if to.present is Present.CALLER else f"{to} ({to.present} shown)"


def _entry(passed: Turn | tuple[Action, Outcome]) -> dict[str, Any]:
    if isinstance(passed, Turn):
        return {"kind": "turn", "step": passed.step, "why": passed.why}
    step, outcome = passed
    settings = step.model_dump(mode="json", exclude={"step", *step.branches})
    return {"kind": "step", "step": step.step, "settings": settings, "outcome": outcome}
