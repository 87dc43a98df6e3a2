-- Ranges of positions that the run covers, that are not gaps, and that bronze does not hold.
WITH
  seen AS (
    SELECT "partition", "offset" FROM bronze_song_plays
    UNION
    SELECT "partition", "offset" FROM gaps
    UNION
    SELECT "partition", first_offset - 1 FROM bounds
  ),
  steps AS (
    SELECT
      "partition",
      "offset",
      lead("offset", 1, end_offset) OVER (PARTITION BY "partition" ORDER BY "offset") AS following
    FROM seen
    JOIN bounds USING ("partition")
    WHERE "offset" BETWEEN first_offset - 1 AND end_offset - 1
  )
SELECT "partition", "offset" + 1 AS first_missing, following - 1 AS last_missing
FROM steps
WHERE following > "offset" + 1
ORDER BY 1, 2
