-- Entries that only the recomputed chart has, or only gold's. Gold may cut a chart, but only at the
-- size of its longest chart.
WITH
  sizes AS (
    SELECT chart, period, period_start, count(*) AS size
    FROM held_chart
    GROUP BY ALL
  ),
  wanted AS (
    SELECT expected_chart.*
    FROM expected_chart
    LEFT JOIN sizes USING (chart, period, period_start)
    WHERE size IS NULL OR "rank" <= greatest(size, (SELECT max(size) FROM sizes))
  )
(
  SELECT 'silver' AS "only in", * FROM wanted
  EXCEPT ALL
  SELECT 'silver' AS "only in", * FROM held_chart
)
UNION ALL
(
  SELECT 'gold' AS "only in", * FROM held_chart
  EXCEPT ALL
  SELECT 'gold' AS "only in", * FROM wanted
)
ORDER BY ALL
