"""`crossfade trending`: the songs that are played most right now."""

from crossfade.cli.ask import CountryOption, LimitOption, ask, show_answer
from crossfade.cli.options import DataOption, JsonOption


def trending(
    data: DataOption = None,
    *,
    limit: LimitOption = 20,
    country: CountryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the most played songs of the newest 6 windows, the open one included.

    Example:
        crossfade trending --limit 10 --country SE
    """
    from crossfade.serving.answers import answer_trending

    answer = ask(
        data,
        "trending",
        {"limit": limit, "country": country},
        lambda view: answer_trending(view, limit=limit, country=country),
    )
    show_answer(answer, title="Trending songs", as_json=as_json)
