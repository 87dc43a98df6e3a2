"""The fields of a play: each with its type, its limits and the reason for rejection.

A required field, a wrong type, `ms_played` and `kind` are strict: they reject the record. Any other
optional field with invalid content is dropped: it becomes absent, and the play counts without it.

`Meta.extra` has what a type cannot express: the `reason` for rejection (else `value_invalid`);
`is_strict`, for an optional field that is never dropped; `is_text`, if a text is normalised to NFC
before its length is checked; `removes_controls`, if control characters are removed from it;
`tidy`, a function that is applied to a text first; `check`, a predicate for the value; `fallback`,
which replaces a text that fails the check; `item`, the Struct of a list's items.
"""

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from crossfade.clock import DAY_MS
from crossfade.contract.counting import COUNTED_AFTER_MS
from crossfade.contract.countries import COUNTRIES, UNKNOWN_COUNTRY
from crossfade.contract.identities import artist_key
from crossfade.contract.reasons import Reason
from crossfade.contract.text import MAX_TEXT

SCHEMA_VERSION = 1
MIN_EVENT_TIME = 100_000_000_000
"""In milliseconds, March 1973: a smaller number must be a time in seconds."""

UNKNOWN_DEVICE = "other"
DEVICES = (
    *("mobile", "desktop", "web", "tablet", "tv", "smart_speaker", "car", "console"),
    UNKNOWN_DEVICE,
)

NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
EVENT_ID = "^[A-Za-z0-9_-]{8,64}$"

_NAME = f"1 to {MAX_TEXT} characters after NFC and the removal of control characters"
_TEXT = f"1 to {MAX_TEXT} characters after NFC, no control characters"
_LABEL = "1 to 256 characters, no control characters"
_is_event_id = re.compile(EVENT_ID.strip("^$")).fullmatch
_find_email = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").search

Id = Annotated[str, Meta(min_length=1, max_length=64, extra_json_schema={"pattern": NO_CONTROLS})]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT,
        extra_json_schema={"pattern": NO_CONTROLS},
        extra={"reason": Reason.TEXT_INVALID, "is_text": True},
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_TEXT,
        extra={"reason": Reason.TEXT_INVALID, "is_text": True, "removes_controls": True},
    ),
]
Label = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        extra_json_schema={"pattern": NO_CONTROLS},
        extra={"reason": Reason.TEXT_INVALID},
    ),
]
Length = Annotated[int, Meta(ge=0, le=DAY_MS)]
Isrc = Annotated[str, Meta(pattern="^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$")]
Mbid = Annotated[str, Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Artist(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One of several artists of a song."""

    name: Annotated[Text, Meta(description=f"the artist's name: {_TEXT}")]
    id: Annotated[Label | None, Meta(description=f"the source's id of the artist: {_LABEL}")] = None


class Play(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One listener heard one song for some time."""

    event_id: Annotated[
        str,
        Meta(
            description="8 to 64 of A-Z a-z 0-9 _ -, made before the first send, so that a retry "
            "is the same play",
            extra_json_schema={"pattern": EVENT_ID},
            extra={"reason": Reason.EVENT_ID_INVALID, "check": _is_event_id},
        ),
    ]
    user_id: Annotated[
        Id,
        Meta(
            description="the listener: 1 to 64 characters, no control characters, a pseudonym, "
            "not an e-mail address",
            extra={
                "reason": Reason.USER_ID_INVALID,
                "check": lambda user_id: _find_email(user_id) is None,
            },
        ),
    ]
    song_id: Annotated[
        Id,
        Meta(
            description="the song, in one name space over all sources: 1 to 64 characters, no "
            "control characters",
            extra={"reason": Reason.SONG_ID_INVALID},
        ),
    ]
    title: Annotated[Name, Meta(description=f"the song's title: {_NAME}")]
    artist: Annotated[Name, Meta(description=f"the artist that the play counts for: {_NAME}")]
    event_time: Annotated[
        int,
        Meta(
            ge=MIN_EVENT_TIME,
            description="the start of the play in milliseconds since the epoch (UTC), an integer "
            "of at least 100000000000, at most 5 minutes ahead of Kafka's clock",
            extra={"reason": Reason.EVENT_TIME_INVALID},
        ),
    ]
    schema_version: Annotated[
        int,
        Meta(
            ge=SCHEMA_VERSION,
            le=SCHEMA_VERSION,
            description="the integer 1",
            extra={"reason": Reason.SCHEMA_VERSION_UNSUPPORTED},
        ),
    ]
    ms_played: Annotated[
        Length | None,
        Meta(
            description="time heard in milliseconds: an integer from 0 to 86400000; absent if the "
            "source does not report it: the play then counts",
            extra={"reason": Reason.MS_PLAYED_OUT_OF_RANGE, "is_strict": True},
        ),
    ] = None
    duration_ms: Annotated[
        Length | None,
        Meta(description="the song's length in milliseconds: an integer from 0 to 86400000"),
    ] = None
    album: Annotated[Text | None, Meta(description=f"the album: {_TEXT}")] = None
    album_artist: Annotated[Text | None, Meta(description=f"the album's artist: {_TEXT}")] = None
    genre: Annotated[Text | None, Meta(description=f"the genre: {_TEXT}")] = None
    artists: Annotated[
        Annotated[tuple[Artist, ...], Meta(max_length=64)] | None,
        Meta(
            description="all artists: up to 64 objects with name and, where known, id",
            extra={"item": Artist},
        ),
    ] = None
    isrc: Annotated[
        Isrc | None,
        Meta(
            description="an ISRC; hyphens are removed, letters become upper case",
            extra={"tidy": lambda isrc: isrc.replace("-", "").upper()},
        ),
    ] = None
    recording_mbid: Annotated[
        Mbid | None,
        Meta(
            description="a MusicBrainz id, a UUID; letters become lower case",
            extra={"tidy": str.lower},
        ),
    ] = None
    country: Annotated[
        str,
        Meta(
            description="an ISO 3166-1 alpha-2 code, or XK, in upper case; absent or empty: ZZ",
            extra_json_schema={"enum": sorted(COUNTRIES)},
            extra={"check": COUNTRIES.__contains__, "may_be_empty": True},
        ),
    ] = UNKNOWN_COUNTRY
    city: Annotated[Text | None, Meta(description=f"the city of the listener: {_TEXT}")] = None
    utc_offset_min: Annotated[
        Annotated[int, Meta(ge=-720, le=840)] | None,
        Meta(description="the listener's UTC offset: an integer of minutes from -720 to 840"),
    ] = None
    device: Annotated[
        str | None,
        Meta(
            description="one of " + ", ".join(DEVICES) + "; any other text becomes other",
            extra={"check": DEVICES.__contains__, "fallback": UNKNOWN_DEVICE},
        ),
    ] = None
    client: Annotated[Label | None, Meta(description=f"the app's name: {_LABEL}")] = None
    client_version: Annotated[Label | None, Meta(description=f"the app's version: {_LABEL}")] = None
    tier: Annotated[Literal["free", "paid"] | None, Meta(description="free or paid")] = None
    session_id: Annotated[Label | None, Meta(description=f"the listening session: {_LABEL}")] = None
    context_type: Annotated[
        Label | None, Meta(description=f"a playlist, an album, a radio and so on: {_LABEL}")
    ] = None
    context_id: Annotated[
        Label | None, Meta(description=f"the id of the playlist or album: {_LABEL}")
    ] = None
    reason_start: Annotated[Label | None, Meta(description=f"why the play began: {_LABEL}")] = None
    reason_end: Annotated[Label | None, Meta(description=f"why the play ended: {_LABEL}")] = None
    skipped: Annotated[bool | None, Meta(description="true or false: the song was skipped")] = None
    shuffle: Annotated[bool | None, Meta(description="true or false: shuffle was on")] = None
    offline: Annotated[bool | None, Meta(description="true or false: heard offline")] = None
    kind: Annotated[
        Literal["track", "episode", "video"],
        Meta(
            description="track, episode or video; absent: track; charts use tracks",
            extra={"is_strict": True},
        ),
    ] = "track"
    source: Annotated[Label | None, Meta(description=f"the importer's or app's name: {_LABEL}")] = (
        None
    )
    source_play_id: Annotated[
        Label | None, Meta(description=f"the source's own id of the play: {_LABEL}")
    ] = None
    time_precision: Annotated[
        Literal["ms", "s", "min"] | None,
        Meta(description="ms, s or min: the precision of event_time"),
    ] = None

    dropped: ClassVar[tuple[str, ...]] = ()
    """The fields whose content was invalid, and that are absent for that reason."""

    @property
    def identity(self) -> tuple[str, str, int]:
        """Return listener, event id and UTC day (days since the epoch); duplicates share them."""
        return self.user_id, self.event_id, self.event_time // DAY_MS

    @property
    def artist_key(self) -> str:
        """Return the artist as charts group it, whatever its case and spaces."""
        return artist_key(self.artist)

    @property
    def is_counted(self) -> bool:
        """Check whether it is a track heard for 30 s or more, or for an unknown time."""
        if self.kind != "track":
            return False
        return self.ms_played is None or self.ms_played >= COUNTED_AFTER_MS


class ReducedPlay(Play, frozen=True, kw_only=True, gc=True, dict=True):
    """A play without the fields that its record has with invalid content: those in `dropped`.

    It is equal to the same play of a record without those fields, and is encoded alike.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Play) and _values_of(self) == _values_of(other)

    def __hash__(self) -> int:
        return hash(Play(**_fields_of(self)))


def reduce_play(play: Play, dropped: Sequence[str]) -> ReducedPlay:
    """Return a play as one without the dropped fields, which are absent in it already."""
    reduced = ReducedPlay(**_fields_of(play))
    reduced.__dict__["dropped"] = tuple(dropped)
    return reduced


def _fields_of(play: Play) -> dict[str, Any]:
    return dict(zip(Play.__struct_fields__, _values_of(play), strict=True))


_values_of = attrgetter(*Play.__struct_fields__)
