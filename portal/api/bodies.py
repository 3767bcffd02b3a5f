"""What a request of the API may have as its body, as models, and how it is read."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from portal.api.problem import Problem, errors_of, wrong
from portal.guard import BODY_SECONDS

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"  # RFC 7396: what a body leaves out stays as it is
Text = Annotated[str, Field(max_length=300)]


class Body(BaseModel):
    """No body."""

    model_config = ConfigDict(extra="forbid")


class SettingsChange(Body):
    """New values of some settings; the others stay. Mail addresses are changed by a person, in the pages."""

    name: Text = ""
    language: Text = ""
    audio: Text = ""
    recordings: Text = ""
    missed_calls: Text = ""
    keep_seconds: Annotated[float, Field(gt=0, le=1e9, description="The retention, in whole hours")] = 0
    confirm_keep_seconds: Annotated[
        float, Field(description="The same again: yes, destroy what a shorter retention destroys")
    ] = 0

    @property
    def given(self) -> dict[str, Any]:
        """The fields that the request has."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Sending(Body):
    """Where a message is sent again. `to`: one more address, a confirmed one of the owner; null: those that
    did not take it."""

    to: Text | None = None


class Switching(Body):
    """`until`: when the switch goes off by itself, within 31 days; null: put it off now."""

    until: Annotated[AwareDatetime | None, Field(description="With its zone")]


async def body_of[B: Body](model: type[B], request: web.Request) -> B:
    """The body of a request. Raises Problem, without the values that were sent."""
    if not model.model_fields:
        return model()
    if request.content_type not in (JSON, MERGE_PATCH):
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"write {JSON}")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data = await request.read()
    except TimeoutError:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None
    except web.HTTPRequestEntityTooLarge:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large") from None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise wrong(errors_of(error), "the body cannot be understood") from None
