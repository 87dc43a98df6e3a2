"""Every setting in one table: its name, default and meaning; an option beats CROSSFADE_*."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from crossfade.errors import MisuseError

_PREFIX = "CROSSFADE_"


def _default_cache() -> Path:
    """Follow the XDG base directory specification for per-user caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "crossfade"


class Settings(BaseSettings):
    """What can be set. Durations are texts such as 90s, 10m or 7d."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="forbid")

    data: Path = Field(Path("data"), description="Data folder: lake, broker data, logs.")
    cache: Path = Field(default_factory=_default_cache, description="Per-user cache of jars.")
    maven_mirror: str = Field("", description="Maven repository to fetch jars from; empty: Ivy's.")

    bootstrap: str = Field("", description="Kafka bootstrap servers; empty: the embedded broker.")
    security_protocol: str = Field("PLAINTEXT", description="Kafka security protocol.")
    sasl_mechanism: str = Field("", description="Kafka SASL mechanism, such as SCRAM-SHA-512.")
    sasl_username: str = Field("", description="Kafka SASL user.")
    sasl_password: str = Field("", description="Kafka SASL password.", repr=False)
    ssl_ca: str = Field("", description="File of the certificates that Kafka's is signed by.")
    kafka_port: int = Field(9092, ge=0, le=65535, description="Embedded broker's port; 0: free.")
    kafka_heap: str = Field("512m", description="Embedded broker's heap limit.")
    topic_partitions: int = Field(4, ge=1, description="Partitions of a new topic.")
    topic_replication: int = Field(1, ge=1, description="Replicas of a new topic.")
    topic_retention: str = Field("7d", description="How long Kafka keeps a record.")

    grain: str = Field("10m", description="Window length; fixed at a data folder's first start.")
    late_after: str = Field("30m", description="Later plays are batch's alone; fixed as grain is.")
    clock_slack: str = Field("1s", description="Brokers' clocks differ by less; fixed as grain is.")

    archive_every: str = Field("15s", description="Trigger of the archive query.")
    speed_every: str = Field("0s", description="Trigger of the speed query; 0s: at once.")
    speed_dedupe: Literal["batch", "watermark"] = Field(
        "batch", description="Repeats removed within a micro-batch, or exactly by Spark's state."
    )
    speed_state: Literal["memory", "rocksdb"] = Field(
        "memory", description="State store of speed; rocksdb above a million live keys."
    )
    watchdog_after: str = Field(
        "25s", description="A query with records to read that commits nothing for so long hangs."
    )
    batch_every: str = Field("60s", description="Pause between the starts of two batch runs.")
    batch_nice: int = Field(
        10, ge=0, le=19, description="How far batch yields to the live side, as in nice."
    )
    chart_size: int = Field(200, ge=1, description="Entries kept of a published chart.")

    spark_master: str = Field("", description="Spark master; empty: this process.")
    spark_memory: str = Field("3g", description="Heap of the archive and speed driver.")
    batch_memory: str = Field("2g", description="Heap of the batch driver.")

    least_free: int = Field(
        1_000_000_000, ge=0, description="Bytes free on a disk below which Kafka takes no plays."
    )

    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API; 0: free.")


def load_settings(**options: Any) -> Settings:
    """Read the settings: an option that is not None beats CROSSFADE_*, which beats the default."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "setting"
        what = f"Setting {name} has value {first['input']!r}: {first['msg']}."
        raise MisuseError(what, f"Correct {_PREFIX}{name.upper()} or its option.") from None


def setting_origin(name: str) -> str:
    """Say where a setting's value comes from when no option gave it."""
    variable = _PREFIX + name.upper()
    return variable if variable in {key.upper() for key in os.environ} else "default"


def setting_variables(settings: Settings) -> dict[str, str]:
    """Return the environment that makes another process of ours read the same settings."""
    return {
        _PREFIX + name.upper(): str(getattr(settings, name)) for name in settings.model_fields_set
    }
