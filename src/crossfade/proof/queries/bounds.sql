-- What the newest run covers of each topic partition. The ends of the very first run are the
-- offsets at which the archive began; a partition that was added later began at 0.
CREATE OR REPLACE TABLE bounds AS
WITH
  offsets AS (
    SELECT run, unnest(map_entries(end_offsets), recursive := true)
    FROM gold_run
  ),
  firsts AS (
    SELECT key, value FROM offsets WHERE run = (SELECT min(run) FROM gold_run)
  ),
  ends AS (
    SELECT key, value FROM offsets WHERE run = (SELECT max(run) FROM gold_run)
  )
SELECT
  ends.key AS "partition",
  coalesce(firsts.value, 0) AS first_offset,
  ends.value AS end_offset
FROM ends
LEFT JOIN firsts USING (key)
