"""A sub-route: steps in a file of their own, which several numbers use."""

from typing import Annotated

from pydantic import Field

from dialplan.model import Model
from dialplan.route import Steps


class SubRoute(Model):
    """Steps that stand in a route wherever it says `use: NAME`: a file routes/NAME.yaml.

    route:
      - announce: closed
      - voicemail: {}
    """

    route: Annotated[Steps, Field(examples=[" and under it  - ring: +3221112233"])]

    @classmethod
    def noun(cls) -> str:
        return "a sub-route"
