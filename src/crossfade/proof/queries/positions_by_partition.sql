-- How many positions each table holds of each topic partition, and how many are gaps.
WITH
  held AS (
    SELECT "partition", 'bronze' AS place FROM bronze_song_plays
    UNION ALL
    SELECT "partition", 'accepted' AS place FROM silver_plays
    UNION ALL
    SELECT "partition", 'rejected' AS place FROM silver_rejected
    UNION ALL
    SELECT "partition", 'duplicates' AS place FROM silver_duplicates
    UNION ALL
    SELECT "partition", 'erased' AS place FROM silver_erased
    UNION ALL
    SELECT "partition", 'gaps' AS place FROM gaps
  )
SELECT
  coalesce(bounds."partition", held."partition") AS "partition",
  any_value(coalesce(end_offset - first_offset, 0)) AS in_range,
  count(*) FILTER (WHERE place = 'gaps') AS gaps,
  count(*) FILTER (WHERE place = 'bronze') AS bronze,
  count(*) FILTER (WHERE place = 'accepted') AS accepted,
  count(*) FILTER (WHERE place = 'rejected') AS rejected,
  count(*) FILTER (WHERE place = 'duplicates') AS duplicates,
  count(*) FILTER (WHERE place = 'erased') AS erased
FROM bounds
FULL JOIN held ON held."partition" = bounds."partition"
GROUP BY 1
ORDER BY 1
