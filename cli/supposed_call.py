"""A supposed call, for `callengine explain`: what is supposed of it, and the path that it would take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.dialled import dialled_or_fail
from cli.explanation import Explanation
from cli.routing_folder import read_or_exit
from dialplan.caller import Caller
from dialplan.lists import Lists
from dialplan.number import ServiceNumber
from dialplan.rehearse import rehearse
from dialplan.step import Case, Facts


@dataclass(frozen=True, slots=True)
class Supposed:
    """A supposed call. `at` without a zone is in that of the number."""

    at: datetime
    caller: Caller
    case: Case
    switches: Sequence[str] = ()
    unreachable: Sequence[str] = ()

    def facts(self, number: ServiceNumber, lists: Lists) -> Facts:
        """Raises ClickException: the route does not have such a switch."""
        if unknown := [name for name in self.switches if name not in number.switches]:
            known = ", ".join(number.switches) or "none"
            raise click.ClickException(f"the route has no switch {unknown[0]}; it has: {known}")
        now = self.at if self.at.tzinfo else self.at.replace(tzinfo=number.zone)
        return number.facts(
            now.astimezone(UTC), self.caller, lists, switches=self.switches, unreachable=self.unreachable
        )


def explain_supposed(folder: Path, number: str, call: Supposed, settings: Path | None) -> Explanation:
    """Explain a supposed call. Raises ClickException; for a wrong folder, print its errors and exit."""
    routing = read_or_exit(folder, settings)
    dialled = dialled_or_fail(routing, folder, number, settings)
    facts, case = call.facts(dialled, routing.lists), call.case
    rehearsal = rehearse(dialled, facts, case.outcomes, nth=case.nth, presses=case.presses, live=case.live)
    return Explanation(dialled, routing.owner(dialled), facts, rehearsal)
