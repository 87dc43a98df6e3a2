-- Where silver has another winner: of a play's records, the one at the smallest position must win.
WITH
  ranked AS (
    SELECT
      "partition",
      "offset",
      first_value("partition") OVER copies AS winner_partition,
      first_value("offset") OVER copies AS winner_offset
    FROM judged
    WHERE reason IS NULL
    WINDOW
      copies AS (
        PARTITION BY user_id, event_id, event_time // 86400000
        ORDER BY "partition", "offset"
      )
  ),
  placed AS (
    SELECT
      "partition",
      "offset",
      "partition" AS winner_partition,
      "offset" AS winner_offset
    FROM silver_plays
    UNION ALL
    SELECT "partition", "offset", winner_partition, winner_offset FROM silver_duplicates
  )
SELECT
  "partition",
  "offset",
  CASE
    WHEN placed."offset" IS NULL THEN 'accepted, in neither silver/plays nor silver/duplicates'
    ELSE
      'its play is at [' || ranked.winner_partition || '] ' || ranked.winner_offset
      || ', silver has [' || placed.winner_partition || '] ' || placed.winner_offset
  END AS fault
FROM ranked
LEFT JOIN placed USING ("partition", "offset")
WHERE
  (placed.winner_partition, placed.winner_offset)
  IS DISTINCT FROM (ranked.winner_partition, ranked.winner_offset)
ORDER BY 1, 2
