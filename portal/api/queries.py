"""The parameters of the API's operations, as models."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from portal.api.shapes import Outcome
from storage.owned.calls import LONGEST_PAGE

Since = Annotated[AwareDatetime | None, Field(description="Begun at or after this instant, with its zone")]
Until = Annotated[AwareDatetime | None, Field(description="Begun before this instant, with its zone")]


class Query(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class Page(Query):
    """A page of a list, newest first."""

    cursor: Annotated[str | None, Field(max_length=100, description="`next` of the page before")] = None
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, description="Items of a page")] = 50


class CallsQuery(Page):
    number: Annotated[
        str | None, Field(pattern=r"^\+[0-9]{7,15}$", description="The service number: %2B3270012345")
    ] = None
    since: Since = None
    until: Until = None
    outcome: Outcome | None = None
    withheld: Annotated[
        bool | None, Field(description="Only callers who withheld their number, or only others")
    ] = None


class StatisticsQuery(Query):
    since: Annotated[AwareDatetime, Field(description="With its zone")]
    until: Annotated[AwareDatetime, Field(description="With its zone; at most 400 days later")]


class AudioQuery(Query):
    format: Annotated[
        Literal["wav", "flac", "mp3", "opus"] | None, Field(description="Default: as it is stored")
    ] = None
