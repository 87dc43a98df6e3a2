-- gold/song_day computed from silver: closed days, with at most $daily_cap charted plays per
-- listener and song.
CREATE OR REPLACE TABLE expected_song_day AS
WITH
  closed AS (
    SELECT
      *,
      CAST(event_time AS DATE) AS event_date,
      CASE
        WHEN is_counted THEN
          row_number() OVER (
            PARTITION BY is_counted, user_id, song_id, CAST(event_time AS DATE)
            ORDER BY event_time, event_id
          )
      END AS nth
    FROM silver_plays
    WHERE epoch_ms(event_time) < $closed_until
  )
SELECT
  country,
  song_id,
  title,
  artist,
  album,
  genre,
  count(*) AS plays,
  count(*) FILTER (WHERE is_counted) AS counted_plays,
  count(*) FILTER (WHERE nth <= $daily_cap) AS charted_plays,
  CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played,
  event_date AS date,
  artist_key
FROM closed
GROUP BY ALL
