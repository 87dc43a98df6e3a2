"""The shapes of the answers, for OpenAPI; tests validate every answer against them."""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from crossfade.contract.reasons import Reason

_RowT = TypeVar("_RowT")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _RankedShape(_Shape):
    rank: int = Field(description="1 is the best")
    charted_plays: int = Field(description="counted plays, at most 10 per listener, song and day")
    counted_plays: int = Field(description="plays of 30 seconds or more, or of unknown length")
    plays: int
    minutes: float = Field(description="listening time")
    listeners: int | None = Field(
        description="distinct listeners, an estimate of at most the plays; null: not kept"
    )


class SongRow(_RankedShape):
    """A song of a ranking."""

    song_id: str
    title: str
    artist: str


class ArtistRow(_RankedShape):
    """An artist of a ranking."""

    artist: str


class CountryRow(_RankedShape):
    """A country of a ranking."""

    country: str = Field(description="ISO 3166-1 alpha-2; ZZ: unknown")
    share: float | None = Field(description="fraction of all counted plays")


class Ranking(_Shape, Generic[_RowT]):
    """Ranked rows of a range, and whether they are complete. Times are RFC 3339 in UTC."""

    rows: list[_RowT] = Field(description="best rank first")
    from_: str | None = Field(alias="from", description="start of the range; null: all time")
    to: str = Field(description="end of the range, exclusive")
    boundary: str | None = Field(description="batch answers before it, speed from it on")
    as_of: str | None = Field(description="when the newest part was reported")
    complete: bool = Field(description="false if plays may be missing")
    why: str = Field(description="what may be missing; empty if complete")
    provisional: bool = Field(description="true unless the range is only of closed days")


class SongIdConflicts(_Shape):
    """Song ids whose plays name more than one song; case and white space make no difference."""

    count: int
    examples: list[str] = Field(description="the first of these song ids")


class Status(_Shape):
    """The progress of batch, speed and the streaming queries."""

    boundary: str | None
    boundary_age_ms: int | None
    as_of: str | None
    song_id_conflicts: SongIdConflicts
    batch: dict[str, Any] | None = Field(description="the newest run; null before the first")
    run_at_work: dict[str, Any] | None = Field(
        description="the run in progress and its start; null between runs"
    )
    speed: dict[str, Any] | None = Field(description="null if speed is not read here")
    streams: dict[str, Any] | None = Field(description="the offsets that each query has committed")
    alarms: dict[str, str] = Field(description="by process: the work at which it repeatedly fails")
    plays_refused: str = Field(description="why plays are refused; empty if they are not")


class Reconciliation(_Shape):
    """The counts of the newest run, and the newest hand-overs with their verdicts."""

    rows: list[dict[str, Any]] = Field(description="hand-overs, the newest first")
    verdicts: dict[str, int] = Field(description="hand-overs by verdict")
    holds: bool = Field(description="false if a record is lost or a difference is unexplained")
    boundary: str | None
    as_of: str | None
    run: dict[str, Any] | None


class RejectedRow(_Shape):
    """A rejected record: its position in Kafka, the reason, and its first bytes."""

    partition: int
    offset: int
    log_time: str
    reason: Reason
    detail: str = Field(description="what was expected instead")
    bytes: int = Field(description="size of the record's value")
    value: str | None = Field(None, description="its first bytes if UTF-8; null: none or erased")
    value_base64: str | None = Field(None, description="its first bytes if not UTF-8")


class RejectedRecords(_Shape):
    """The rejected records as of the newest run."""

    rows: list[RejectedRow] = Field(description="the newest first")
    by_reason: dict[Reason, int] = Field(description="counts of all, the most frequent first")
    boundary: str | None
    as_of: str | None


class ErrorBody(_Shape):
    """What went wrong, what to do about it, and the HTTP status."""

    error: str
    hint: str
    status: int
