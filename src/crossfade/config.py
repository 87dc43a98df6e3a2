"""All settings: names, defaults and descriptions."""

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from crossfade.errors import MachineError, MisuseError

_PREFIX = "CROSSFADE_"
CHILD_MARK = "CROSSFADE_HELD_FOLDER"
"""The variable that marks the processes of a stack with its data folder."""

_OTHER_VARIABLES = frozenset({"CROSSFADE_DEBUG", "CROSSFADE_PYTHON", CHILD_MARK})
"""Variables that are no settings: CROSSFADE_PYTHON is the Python of `scripts/setup`, and with
CROSSFADE_DEBUG an unexpected error shows its trace."""

_PathT = TypeVar("_PathT", str, Path)
_ORIGIN = re.compile(r"https?://[^/?#\s]+")


def _default_cache() -> Path:
    """Return the per-user cache folder, following the XDG base directory specification.

    Raises:
        MachineError: the user has no home folder, and no variable names another one.
    """
    try:
        named = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
        return (named if named.is_absolute() else Path("~/.cache").expanduser()) / "crossfade"
    except RuntimeError:
        what = f"The user {os.getuid()} has no home folder for the cache of jars."
        raise MachineError(what, "Set CROSSFADE_CACHE to a folder that you may write.") from None


class Settings(BaseSettings):
    """All settings. Durations are texts such as 90s, 10m or 7d."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    data: Path = Field(Path("data"), description="Data folder: lake, broker data, logs.")
    cache: Path = Field(default_factory=_default_cache, description="Per-user cache of jars.")
    maven_mirror: str = Field("", description="Maven repository for jars; empty: Ivy's default.")

    bootstrap: str = Field("", description="Kafka bootstrap servers; empty: the embedded broker.")
    security_protocol: str = Field("PLAINTEXT", description="Kafka security protocol.")
    sasl_mechanism: str = Field("", description="Kafka SASL mechanism, such as SCRAM-SHA-512.")
    sasl_username: str = Field("", description="Kafka SASL user.")
    sasl_password: str = Field("", description="Kafka SASL password.", repr=False)
    ssl_ca: str = Field("", description="File with the CA certificates for Kafka.")
    kafka_port: int = Field(9092, ge=0, le=65535, description="Embedded broker's port; 0: free.")
    kafka_heap: str = Field("512m", description="Embedded broker's maximum heap.")
    topic_partitions: int = Field(4, ge=1, description="Number of partitions of a new topic.")
    topic_replication: int = Field(1, ge=1, description="Number of replicas of a new topic.")
    topic_retention: str = Field("7d", description="How long Kafka keeps a record.")

    grain: str = Field("10m", description="Window length; fixed at a data folder's first start.")
    late_after: str = Field(
        "30m", description="Only batch counts plays later than this; fixed like grain."
    )
    clock_slack: str = Field("1s", description="Largest skew of brokers' clocks; fixed like grain.")

    archive_every: str = Field("15s", description="Interval between the archive's micro-batches.")
    speed_every: str = Field("0s", description="Interval between speed's micro-batches.")
    speed_dedupe: Literal["batch", "watermark"] = Field(
        "batch", description="Remove repeats within a micro-batch only, or all with Spark's state."
    )
    speed_state: Literal["memory", "rocksdb"] = Field(
        "memory", description="Speed's state store; use rocksdb above a million live keys."
    )
    watchdog_after: str = Field(
        "25s", description="A query with input that commits nothing for this long counts as hung."
    )
    batch_every: str = Field("60s", description="Interval between the starts of two batch runs.")
    batch_nice: int = Field(
        10, ge=0, le=19, description="Nice value of batch, so that it yields to the other stages."
    )
    chart_size: int = Field(200, ge=1, description="Number of entries of a published chart.")

    spark_master: str = Field("", description="Spark master; empty: local, in this process.")
    spark_memory: str = Field("3g", description="Maximum heap of the archive and speed driver.")
    batch_memory: str = Field("2g", description="Maximum heap of the batch driver.")

    least_free: int = Field(
        1_000_000_000, ge=0, description="If a disk has fewer bytes free, Kafka accepts no plays."
    )

    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API; 0: free.")
    cors: str = Field(
        "", description="Origins whose web pages may read the API, with commas; * is every origin."
    )

    @field_validator("data", "cache")
    @classmethod
    def _expand_home(cls, path: Path) -> Path:
        return expand_home(path)

    @field_validator("ssl_ca")
    @classmethod
    def _expand_home_of_file(cls, path: str) -> str:
        return expand_home(path)

    @field_validator("cors")
    @classmethod
    def _refuse_odd_origin(cls, text: str) -> str:
        for origin in split_origins(text):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                what = f"{origin!r} is not an origin such as https://example.org"
                raise ValueError(what)
        return text


def split_origins(text: str) -> list[str]:
    """Split a list of origins at its commas."""
    return [origin.strip() for origin in text.split(",") if origin.strip()]


def expand_home(path: _PathT) -> _PathT:
    """Return a path with the home folder for a leading `~`, which shells leave in `--data=~/x`.

    Raises:
        MisuseError: the user that it names, or this one, has no home folder.
    """
    try:
        return type(path)(Path(path).expanduser()) if str(path).startswith("~") else path
    except RuntimeError:
        what = f"{path} begins with ~, and that user has no home folder here."
        raise MisuseError(what, "Write the whole path.") from None


def load_settings(**options: Any) -> Settings:
    """Load the settings; options that are not None override CROSSFADE_* variables.

    Raises:
        MisuseError: a value is wrong, or a CROSSFADE_* variable is no setting.
    """
    _refuse_unknown_variables()
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "setting"
        what = f"Setting {name} has value {first['input']!r}: {first['msg']}."
        raise MisuseError(what, f"Correct {_PREFIX}{name.upper()} or its option.") from None


def _refuse_unknown_variables() -> None:
    known = {_PREFIX + name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    ours = {name.upper(): name for name in os.environ if name.upper().startswith(_PREFIX)}
    for variable in sorted(ours.keys() - known):
        words = [name.removeprefix(_PREFIX) for name in sorted(known - {CHILD_MARK})]
        [near] = get_close_matches(variable.removeprefix(_PREFIX)[:64], words, n=1, cutoff=0)
        what = f"{ours[variable]} is not a setting."
        raise MisuseError(what, f"Did you mean {_PREFIX}{near}? If not, unset it.")


def setting_origin(name: str) -> str:
    """Return where a setting's value comes from if no option sets it."""
    variable = _PREFIX + name.upper()
    return variable if variable in {key.upper() for key in os.environ} else "default"


def setting_variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables with which a child process loads the same settings."""
    return {
        _PREFIX + name.upper(): str(getattr(settings, name)) for name in settings.model_fields_set
    }
