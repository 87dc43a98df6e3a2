-- The sums of a table's measures.
SELECT
  CAST(coalesce(sum(plays), 0) AS BIGINT) AS plays,
  CAST(coalesce(sum(counted_plays), 0) AS BIGINT) AS counted_plays,
  CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played
FROM query_table($table)
