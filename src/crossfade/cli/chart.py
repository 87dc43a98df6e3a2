"""`crossfade chart`: the most played songs or artists of a range."""

from enum import StrEnum
from typing import Annotated

import typer

from crossfade.cli.ask import (
    AllTimeOption,
    CountryOption,
    DayOption,
    FromOption,
    LimitOption,
    MonthOption,
    ToOption,
    WeekOption,
    YearOption,
    ask,
    range_parameters,
    show_answer,
)
from crossfade.cli.options import DataOption, JsonOption
from crossfade.serving.ranges import RangeTexts, read_range


class ChartKind(StrEnum):
    """What a chart counts."""

    SONGS = "songs"
    ARTISTS = "artists"


KindArgument = Annotated[ChartKind, typer.Argument(metavar="KIND", help="What to count.")]


def chart(
    kind: KindArgument,
    data: DataOption = None,
    *,
    day: DayOption = None,
    week: WeekOption = None,
    month: MonthOption = None,
    year: YearOption = None,
    all_time: AllTimeOption = False,
    since: FromOption = None,
    until: ToOption = None,
    limit: LimitOption = 20,
    country: CountryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the most played songs or artists of a day, chart week, month, year, or any range.

    A closed period is shown as batch published it. No range means all time.

    Example:
        crossfade chart songs --month 2019-06
    """
    from crossfade.serving.answers import RequestView, answer_chart
    from crossfade.serving.rollup import By

    texts = RangeTexts(day, week, month, year, all_time, since, until)
    by = By.SONG if kind is ChartKind.SONGS else By.ARTIST

    def answer_from_gold(view: RequestView) -> dict[str, object]:
        asked = read_range(texts, now=view.now, rules=view.rules)
        return answer_chart(view, by, asked, limit=limit, country=country)

    parameters = {**range_parameters(texts), "limit": limit, "country": country}
    answer = ask(data, f"charts/{kind}", parameters, answer_from_gold)
    show_answer(answer, title=f"Most played {kind}", as_json=as_json)
