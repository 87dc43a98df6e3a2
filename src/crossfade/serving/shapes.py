"""The shapes of the answers as OpenAPI tells them; the tests hold every answer against them."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from crossfade.contract.reasons import Reason

_RowT = TypeVar("_RowT")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Measured(_Shape):
    rank: int = Field(description="best is 1")
    charted_plays: int = Field(description="counted plays, at most ten a listener, song and day")
    counted_plays: int = Field(description="plays of 30 seconds or more")
    plays: int
    minutes: float = Field(description="time heard")
    listeners: int | None = Field(description="distinct listeners, estimated; null: not kept")


class SongRow(_Measured):
    """A song of a ranking."""

    song_id: str
    title: str
    artist: str


class ArtistRow(_Measured):
    """An artist of a ranking."""

    artist: str


class CountryRow(_Measured):
    """A country of a ranking."""

    country: str = Field(description="ISO 3166-1 alpha-2; ZZ: unknown")
    share: float | None = Field(description="part of all counted plays")


class Ranking(_Shape, Generic[_RowT]):
    """Ranked rows of a range, and how complete they are. Times are RFC 3339 in UTC."""

    rows: list[_RowT] = Field(description="best rank first")
    from_: str | None = Field(alias="from", description="begin of the range; null: all time")
    to: str = Field(description="end of the range, not part of it")
    boundary: str | None = Field(description="batch answered what lies before, speed the rest")
    as_of: str | None = Field(description="how fresh the newest part is")
    complete: bool = Field(description="false where plays may be missing")
    why: str = Field(description="what may be missing; empty if complete")
    provisional: bool = Field(description="true while the range is open or speed has a part in it")


class Status(_Shape):
    """How far batch, speed and the streaming queries are."""

    boundary: str | None
    boundary_age_ms: int | None
    as_of: str | None
    batch: dict[str, Any] | None = Field(description="the newest run; null before the first")
    run_at_work: dict[str, Any] | None = Field(
        description="the run that batch is at, and since when; null between two"
    )
    speed: dict[str, Any] | None = Field(description="null where speed is not read here")
    streams: dict[str, Any] | None = Field(description="what each query has committed")
    alarms: dict[str, str] = Field(description="what a process fails at again and again")
    plays_refused: str = Field(description="why Kafka takes no plays; empty while it does")


class Conserved(_Shape):
    """What the newest run counted, and the newest hand-overs with their verdicts."""

    rows: list[dict[str, Any]] = Field(description="hand-overs, the newest first")
    verdicts: dict[str, int] = Field(description="hand-overs by verdict")
    holds: bool = Field(description="false where a record is lost or a difference unexplained")
    boundary: str | None
    as_of: str | None
    run: dict[str, Any] | None


class RejectedRow(_Shape):
    """A record that is no play: where it stands in Kafka, why, and how it begins."""

    partition: int
    offset: int
    log_time: str
    reason: Reason
    detail: str = Field(description="what was expected instead")
    bytes: int = Field(description="how many it has")
    value: str | None = Field(None, description="its first bytes, if they are UTF-8; null: gone")
    value_base64: str | None = Field(None, description="its first bytes, if they are not")


class Rejected(_Shape):
    """The records that are no plays, as the newest run knows them."""

    rows: list[RejectedRow] = Field(description="the newest first")
    by_reason: dict[Reason, int] = Field(description="all of them, the most frequent first")
    boundary: str | None
    as_of: str | None


class Refusal(_Shape):
    """Why a request is refused, and what to send instead."""

    error: str
    hint: str
    status: int
