"""The query parameters of the API; unknown ones are refused."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from crossfade.contract.reasons import Reason
from crossfade.serving.answers import MAX_LIMIT
from crossfade.serving.ranges import RangeTexts

Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="Greatest number of rows.")]
Country = Annotated[
    str | None, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2, or ZZ for unknown.")
]
Text = Annotated[str | None, Field(max_length=40)]


class NoQuery(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class TrendingQuery(NoQuery):
    """The parameters of trending: a limit and a country."""

    limit: Limit = 50
    country: Country = None


class RejectedQuery(NoQuery):
    """The parameters of rejected records: a limit and a reason."""

    limit: Limit = 50
    reason: Reason | None = None


class RangeQuery(TrendingQuery):
    """The parameters of trending and a range: a period, from and to, or none for all time."""

    day: Text = None
    week: Text = None
    month: Text = None
    year: Text = None
    all_time: bool = False
    since: Text = Field(None, alias="from")
    until: Text = Field(None, alias="to")

    @property
    def range_texts(self) -> RangeTexts:
        """Return the parameters that name the range."""
        return RangeTexts(
            **self.model_dump(
                include={"day", "week", "month", "year", "all_time", "since", "until"}
            )
        )
