-- Both layers' counts of each window with plays in either that a run after $after took over.
WITH
  batch_rows AS (
    SELECT
      window_ms,
      country,
      song_id,
      title,
      artist,
      album,
      genre,
      count(*) AS plays,
      count(*) FILTER (WHERE is_counted) AS counted_plays,
      sum(ms_played) AS ms_played
    FROM on_time
    WHERE is_covered
    GROUP BY ALL
  ),
  compared AS (
    SELECT
      coalesce(batch_rows.window_ms, speed_rows.window_ms) AS window_ms,
      coalesce(speed_rows.plays, 0) AS speed_plays,
      coalesce(batch_rows.plays, 0) AS batch_plays,
      coalesce(speed_rows.plays, 0) < coalesce(batch_rows.plays, 0)
      OR (
        speed_rows.plays = batch_rows.plays
        AND (speed_rows.counted_plays, speed_rows.ms_played)
        IS DISTINCT FROM (batch_rows.counted_plays, CAST(batch_rows.ms_played AS BIGINT))
      ) AS is_differing
    FROM batch_rows
    FULL JOIN speed_rows
      ON batch_rows.window_ms = speed_rows.window_ms
      AND batch_rows.country IS NOT DISTINCT FROM speed_rows.country
      AND batch_rows.song_id IS NOT DISTINCT FROM speed_rows.song_id
      AND batch_rows.title IS NOT DISTINCT FROM speed_rows.title
      AND batch_rows.artist IS NOT DISTINCT FROM speed_rows.artist
      AND batch_rows.album IS NOT DISTINCT FROM speed_rows.album
      AND batch_rows.genre IS NOT DISTINCT FROM speed_rows.genre
  ),
  totals AS (
    SELECT
      window_ms,
      CAST(sum(speed_plays) AS BIGINT) AS speed_plays,
      CAST(sum(batch_plays) AS BIGINT) AS batch_plays,
      count(*) FILTER (WHERE is_differing) AS differing_rows
    FROM compared
    GROUP BY ALL
  ),
  unseen AS (
    SELECT DISTINCT window_ms
    FROM on_time
    JOIN speed_firsts USING ("partition")
    WHERE "offset" < first_offset
  )
SELECT
  boundaries.run,
  totals.window_ms AS window_start,
  speed_plays,
  batch_plays,
  coalesce(repeats, 0) AS repeats,
  coalesce(reused, 0) AS reused,
  differing_rows,
  unseen.window_ms IS NULL AND totals.window_ms >= $retained_from AS is_retained,
  (
    SELECT count(*)
    FROM silver_erased
    WHERE epoch_ms(log_time) BETWEEN totals.window_ms - $ahead AND totals.window_ms + $grain + $late_after
  ) AS erased
FROM totals
ASOF JOIN boundaries
  ON totals.window_ms + $grain <= boundaries.boundary
LEFT JOIN on_time_again USING (window_ms)
LEFT JOIN unseen USING (window_ms)
WHERE totals.window_ms >= $windows_from AND boundaries.run > $after
ORDER BY 1, 2
