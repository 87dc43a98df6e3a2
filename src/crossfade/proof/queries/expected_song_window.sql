-- gold/song_window computed from silver: windows before the boundary, in the days that are kept.
CREATE OR REPLACE TABLE expected_song_window AS
WITH
  windowed AS (
    SELECT *, epoch_ms(event_time) // $grain * $grain AS window_ms
    FROM silver_plays
    WHERE epoch_ms(event_time) >= $kept_from AND epoch_ms(event_time) < $boundary
  )
SELECT
  make_timestamptz(window_ms * 1000) AS window_start,
  country,
  song_id,
  title,
  artist,
  album,
  genre,
  count(*) AS plays,
  count(*) FILTER (WHERE is_counted) AS counted_plays,
  CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played,
  CAST(make_timestamptz(window_ms * 1000) AS DATE) AS date,
  artist_key
FROM windowed
GROUP BY ALL
