-- The offset up to which each run covers each topic partition.
CREATE OR REPLACE TABLE run_ends AS
WITH
  offsets AS (
    SELECT run, unnest(map_entries(end_offsets), recursive := true)
    FROM gold_run
  )
SELECT run, key AS "partition", value AS end_offset
FROM offsets
