-- Rows that silver gives and a table of gold lacks, then rows of gold that silver denies.
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
