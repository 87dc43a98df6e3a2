-- Positions of bronze that are not in exactly one of accepted, rejected, duplicates and erased,
-- and positions in one of these that bronze does not hold.
WITH
  placed AS (
    SELECT "partition", "offset", 'silver/plays' AS place FROM silver_plays
    UNION ALL
    SELECT "partition", "offset", 'silver/rejected' AS place FROM silver_rejected
    UNION ALL
    SELECT "partition", "offset", 'silver/duplicates' AS place FROM silver_duplicates
    UNION ALL
    SELECT "partition", "offset", 'silver/erased' AS place FROM silver_erased
  ),
  judged AS (
    SELECT "partition", "offset", count(*) AS times, string_agg(place, ' and ' ORDER BY place) AS places
    FROM placed
    GROUP BY ALL
  ),
  archived AS (
    SELECT DISTINCT "partition", "offset" FROM bronze_song_plays
  )
SELECT
  "partition",
  "offset",
  CASE
    WHEN archived."offset" IS NULL THEN 'in ' || places || ', not in bronze'
    WHEN times IS NULL THEN 'accepted, rejected, duplicate and erased nowhere'
    ELSE 'in ' || places
  END AS fault
FROM archived
FULL JOIN judged USING ("partition", "offset")
WHERE archived."offset" IS NULL OR times IS NULL OR times > 1
ORDER BY 1, 2
