"""The play as JSON Schema, derived from the Struct; `play.schema.json` beside this is its copy."""

from pathlib import Path
from typing import Any

import msgspec

from crossfade.contract.play import Play

SCHEMA_PATH = Path(__file__).with_name("play.schema.json")


def build_schema() -> dict[str, Any]:
    """Derive the JSON Schema (2020-12) of a record.

    What no schema can say stays with the decoder: times against Kafka's clock, lengths after NFC,
    and that a user_id is no e-mail address.
    """
    schema = msgspec.json.schema(Play)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Play, schema version 1",
        **schema,
    }


def write_schema(path: Path = SCHEMA_PATH) -> None:
    """Write the schema's copy anew; a test fails while it is stale."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(build_schema()), indent=2) + b"\n")
