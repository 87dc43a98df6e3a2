"""`crossfade geography`: where people listen."""

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


def geography(
    data: DataOption = None,
    *,
    day: DayOption = None,
    week: WeekOption = None,
    month: MonthOption = None,
    year: YearOption = None,
    all_time: AllTimeOption = False,
    since: FromOption = None,
    until: ToOption = None,
    limit: LimitOption = 50,
    country: CountryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the countries with the most plays, or with --country the most played songs of one.

    No range means all time.

    Example:
        crossfade geography --year 2019
    """
    from crossfade.serving.answers import RequestView, answer_geography

    texts = RangeTexts(day, week, month, year, all_time, since, until)

    def answer_from_gold(view: RequestView) -> dict[str, object]:
        asked = read_range(texts, now=view.now, rules=view.rules)
        return answer_geography(view, asked, limit=limit, country=country)

    parameters = {**range_parameters(texts), "limit": limit, "country": country}
    answer = ask(data, "geography", parameters, answer_from_gold)
    title = "Countries" if country is None else f"Songs of {country}"
    show_answer(answer, title=title, as_json=as_json)
