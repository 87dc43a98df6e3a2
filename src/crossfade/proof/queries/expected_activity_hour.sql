-- gold/activity_hour computed from silver: closed hours. Charted plays need a closed day.
CREATE OR REPLACE TABLE expected_activity_hour AS
WITH
  closed AS (
    SELECT
      *,
      epoch_ms(event_time) // 3600000 * 3600000 AS hour_ms,
      CASE
        WHEN is_counted AND epoch_ms(event_time) < $closed_day THEN
          row_number() OVER (
            PARTITION BY is_counted, user_id, song_id, CAST(event_time AS DATE)
            ORDER BY event_time, event_id
          )
      END AS nth
    FROM silver_plays
    WHERE epoch_ms(event_time) < $closed_hour
  )
SELECT
  make_timestamptz(hour_ms * 1000) AS hour_start,
  country,
  count(*) AS plays,
  count(*) FILTER (WHERE is_counted) AS counted_plays,
  CASE
    WHEN hour_ms < $closed_day THEN count(*) FILTER (WHERE nth <= $daily_cap)
  END AS charted_plays,
  CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played,
  CAST(make_timestamptz(hour_ms * 1000) AS DATE) AS date
FROM closed
GROUP BY hour_ms, country
