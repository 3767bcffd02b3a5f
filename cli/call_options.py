"""The options that suppose something of a call: when, from whom, and what comes of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import click

from cli.options import Decorator
from dialplan.caller import UNKNOWN, Caller
from dialplan.expect import check_press, read_caller
from dialplan.names import LANGUAGES
from dialplan.result import Outcome

RING_OUTCOMES = [outcome.value for outcome in Outcome if outcome is not Outcome.DONE]


def call_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --at, --from (as `caller`), --outcome and --press, both several times."""
    return reduce(lambda decorated, option: option(decorated), reversed(OPTIONS), command)


def language_option() -> Decorator:
    return click.option(
        "--language",
        type=click.Choice(LANGUAGES),
        help="The language of a past call's path. Default: the owner's.",
    )


def _read_from(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Caller:
    try:
        return UNKNOWN if text is None else read_caller(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _read_at(_ctx: click.Context, _param: click.Parameter, text: str | None) -> datetime:
    try:
        return datetime.now(UTC) if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("write 2026-12-25 10:00 (the number's time) or 2026-12-25T09:00Z") from None


def _read_presses(_ctx: click.Context, _param: click.Parameter, texts: Sequence[str]) -> Sequence[str]:
    try:
        return [check_press(text) for text in texts]
    except ValueError as wrong:
        raise click.BadParameter(str(wrong)) from None


OPTIONS: Sequence[Decorator] = (
    click.option(
        "--at",
        callback=_read_at,
        metavar="TIME",
        help="When: 2026-12-25 10:00 in the number's time zone. Default: now.",
    ),
    click.option(
        "--from", "caller", callback=_read_from, metavar="CALLER", help="The caller: a number, or withheld."
    ),
    click.option(
        "--outcome",
        "outcomes",
        multiple=True,
        type=click.Choice(RING_OUTCOMES),
        help="The outcome of the first ring, of the second, and so on. Default: taken.",
    ),
    click.option(
        "--press",
        "presses",
        multiple=True,
        callback=_read_presses,
        metavar="KEYS",
        help="The keys entered in the first menu, in the second, and so on. Default: timeout.",
    ),
)
