"""The parameters that the API takes; what is not named here is refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crossfade.contract.reasons import Reason
from crossfade.serving.answers import MAX_LIMIT
from crossfade.serving.ranges import RangeTexts

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Most rows to give.")]
Country = Annotated[
    str | None, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2, or ZZ for unknown.")
]
Text = Annotated[str | None, Field(max_length=40)]


class NoQuery(BaseModel):
    """No parameter at all."""

    model_config = ConfigDict(extra="forbid")


class TrendingQuery(NoQuery):
    """How many songs, and of which country."""

    limit: Limit = 50
    country: Country = None


class RejectedQuery(NoQuery):
    """How many rejected records, and of which reason."""

    limit: Limit = 50
    reason: Reason | None = None


class RangeQuery(TrendingQuery):
    """A range besides: one period, from and to, or nothing for all time."""

    day: Text = None
    week: Text = None
    month: Text = None
    year: Text = None
    all_time: bool = False
    since: Text = Field(None, alias="from")
    until: Text = Field(None, alias="to")

    @property
    def range_texts(self) -> RangeTexts:
        """Return the range's part of the query."""
        return RangeTexts(
            **self.model_dump(
                include={"day", "week", "month", "year", "all_time", "since", "until"}
            )
        )
