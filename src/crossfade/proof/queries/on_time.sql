-- Accepted plays that speed counts, in windows that a run took over; with that run, and whether
-- it covered them then.
CREATE OR REPLACE TABLE on_time AS
WITH
  windowed AS (
    SELECT *, epoch_ms(event_time) // $grain * $grain AS window_ms
    FROM silver_plays
    WHERE
      date >= CAST(make_timestamptz($windows_from * 1000) AS DATE)
      AND epoch_ms(event_time) >= $windows_from
      AND epoch_ms(event_time) BETWEEN epoch_ms(log_time) - $late_after AND epoch_ms(log_time) + $ahead
  )
SELECT
  boundaries.run,
  window_ms,
  windowed."partition",
  windowed."offset",
  coalesce(windowed."offset" < end_offset, false) AS is_covered,
  country,
  song_id,
  title,
  artist,
  album,
  genre,
  is_counted,
  coalesce(ms_played, 0) AS ms_played
FROM windowed
ASOF JOIN boundaries
  ON windowed.window_ms + $grain <= boundaries.boundary
LEFT JOIN run_ends
  ON run_ends.run = boundaries.run
  AND run_ends."partition" = windowed."partition"
