"""The JSON Schema of a play, derived from the Struct and published as `play.schema.json`."""

from pathlib import Path
from typing import Any

import msgspec

from crossfade.contract.play import Play

SCHEMA_PATH = Path(__file__).with_name("play.schema.json")


def build_schema() -> dict[str, Any]:
    """Build the JSON Schema (2020-12) of a record.

    Only the decoder checks what a schema cannot express: times relative to Kafka's clock, lengths
    after NFC, and that a user_id is not an e-mail address.
    """
    schema = msgspec.json.schema(Play)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Play, schema version 1",
        **schema,
    }


def write_schema(path: Path = SCHEMA_PATH) -> None:
    """Write `play.schema.json`; a test fails if the file is out of date."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(build_schema()), indent=2) + b"\n")
