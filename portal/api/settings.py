"""The operations on the owner's settings: read them, and change them by the rules of the page."""

from dialplan.number import Owner
from portal import own_settings
from portal.api import shapes, views
from portal.api.asked import Asked
from portal.api.bodies import Body, SettingsChange
from portal.api.etag import require_match
from portal.api.problem import conflict, not_there, wrong
from portal.api.queries import Query
from portal.own_settings import Refused, Shortening, Wanted, valid
from portal.services import SERVICES
from storage.owned import settings

KEEP = ("keep_seconds", "confirm_keep_seconds")


async def get_settings(asked: Asked[Query]) -> shapes.Settings:
    """As they are stored, with what the owner has changed: in force some seconds later."""
    ground = ground_of(asked)
    async with asked.database() as con:
        return views.settings(valid(ground, await settings.changes(con, asked.owner)), ground)


async def change_settings(asked: Asked[Query, SettingsChange]) -> shapes.Settings:
    """Of the settings that are stored, as the ETag of `getSettings` has them."""
    ground = ground_of(asked)
    wanted = wanted_of(asked.body)
    async with asked.database() as con, settings.alone(con, asked.owner) as changes:
        before = views.settings(valid(ground, changes), ground)
        require_match(asked.request, before.model_dump_json().encode())
        found = await own_settings.change(con, asked.owner, ground, wanted, asked.actor)
        if isinstance(found, Refused):
            name = "keep_seconds" if found.setting == "keep_recordings" else found.setting
            raise wrong([{"name": name, "detail": found.why}], "this setting is not possible")
        if isinstance(found, Shortening):
            raise conflict(
                "a shorter retention destroys recordings, which cannot be undone: repeat the request with "
                "`confirm_keep_seconds`, the same number",
                destroyed_now=found.now,
                destroyed_earlier=found.earlier,
            )
        return views.settings(valid(ground, await settings.changes(con, asked.owner)), ground)


def wanted_of(body: SettingsChange) -> Wanted:
    """Raises Problem."""
    values = {name: value for name, value in body.given.items() if name not in KEEP}
    if "keep_seconds" not in body.given:
        return Wanted(values)
    keep = own_settings.keep_of(body.keep_seconds)
    if keep is None:
        hours = "write a number of whole hours in seconds, at most ten years"
        raise wrong([{"name": "keep_seconds", "detail": hours}], "this setting is not possible")
    return Wanted(values, keep, sure=body.confirm_keep_seconds == body.keep_seconds)


def ground_of[Q: Query, B: Body](asked: Asked[Q, B]) -> Owner:
    """The owner as the operator's file has it. Raises Problem."""
    ground = asked.request.app[SERVICES].routing.ground(asked.owner)
    if ground is None:
        raise not_there()
    return ground
