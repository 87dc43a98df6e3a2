-- Rows computed from silver that a table of gold lacks, then rows that only gold has.
(
  SELECT 'silver' AS "only in", * FROM query_table($wanted)
  EXCEPT ALL
  SELECT 'silver' AS "only in", * FROM query_table($held)
)
UNION ALL
(
  SELECT 'gold' AS "only in", * FROM query_table($held)
  EXCEPT ALL
  SELECT 'gold' AS "only in", * FROM query_table($wanted)
)
ORDER BY ALL
