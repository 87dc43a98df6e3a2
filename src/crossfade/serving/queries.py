"""The query parameters of the API; unknown ones are refused."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from crossfade.contract.reasons import Reason
from crossfade.serving.answers import MAX_LIMIT
from crossfade.serving.ranges import RangeTexts, check_country

_MAX_TEXT = 40


def _describe(description: str, example: object) -> object:
    """Return a parameter's text and example for the API's description."""
    return Field(description=description, examples=[example], max_length=_MAX_TEXT)


Limit = Annotated[
    int, Field(ge=1, le=MAX_LIMIT, description="The most rows to return.", examples=[10])
]
Country = Annotated[
    str | None,
    _describe("Only this country: ISO 3166-1 alpha-2 in upper case; ZZ is unknown.", "SE"),
    AfterValidator(check_country),
]
Day = Annotated[str | None, _describe("One day (UTC).", "2019-06-01")]
Week = Annotated[
    str | None, _describe("One chart week (UTC), by its first day: a Friday.", "2019-06-28")
]
Month = Annotated[str | None, _describe("One month (UTC).", "2019-06")]
Year = Annotated[str | None, _describe("One year (UTC).", "2019")]
Since = Annotated[
    str | None,
    _describe(
        "Start of a range: a UTC midnight, or a time at an edge of a window of the last two days, "
        "such as 2019-06-01T12:30:00Z.",
        "2019-06-01",
    ),
]
Until = Annotated[
    str | None, _describe("End of a range, exclusive; written as its start.", "2019-06-02")
]


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
    reason: Reason | None = Field(
        None, description="Only this reason.", examples=[Reason.MISSING_FIELD]
    )


class RangeQuery(TrendingQuery):
    """The parameters of trending and a range: a period, from and to, or none for all time."""

    day: Day = None
    week: Week = None
    month: Month = None
    year: Year = None
    all_time: bool = Field(
        False, description="Everything; the default if no range is named.", examples=[True]
    )
    since: Since = Field(None, alias="from")
    until: Until = Field(None, alias="to")

    @property
    def range_texts(self) -> RangeTexts:
        """Return the parameters that name the range."""
        return RangeTexts(
            **self.model_dump(
                include={"day", "week", "month", "year", "all_time", "since", "until"}
            )
        )
