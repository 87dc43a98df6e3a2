"""Publish a run: one row in gold/run makes everything that the run wrote visible."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake

from crossfade.errors import LakeError
from crossfade.lake.commits import commit_note
from crossfade.lake.runs import Run, read_newest_run, row_of
from crossfade.lake.tables import GOLD_RUN, require_table
from crossfade.processing.new_table import schema_of

_APPLICATION = "crossfade-batch"
"""The application id under which Delta keeps the greatest committed transaction number."""


def publish_run(lake: Path, run: Run) -> None:
    """Append the run's row in one commit under its number, and read it back.

    Raises:
        LakeError: a run of that number was published already, or the row cannot be read back.
    """
    table = require_table(lake, GOLD_RUN)
    number = run.run + 1
    published = table.transaction_version(_APPLICATION)
    if published is not None and published >= number:
        what = f"Run {run.run} was not published: gold/run has run {published - 1} already."
        raise LakeError(what, "Let only one process run batch on a data folder.")
    schema = pa.schema(schema_of(GOLD_RUN).to_arrow())
    row = row_of(run)
    columns = [_column(row[field.name], field.type) for field in schema]
    write_deltalake(
        table,
        pa.Table.from_arrays(columns, schema=schema),
        mode="append",
        schema_mode="merge",  # a table of an earlier release gets the added columns with the row
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": commit_note(run.run_uuid)},
            app_transactions=[Transaction(_APPLICATION, number)],
        ),
    )
    found = read_newest_run(lake)
    if found is None or found.run_uuid != run.run_uuid:
        what = f"Run {run.run} was not published: gold/run holds another run of that number."
        raise LakeError(what, "Let only one process run batch on a data folder.")


def _column(value: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_map(kind):
        return pa.array([list(dict(value).items())], kind)
    if pa.types.is_timestamp(kind):
        return pa.array([value], pa.timestamp("ms", tz="UTC")).cast(kind)
    return pa.array([value], kind)
