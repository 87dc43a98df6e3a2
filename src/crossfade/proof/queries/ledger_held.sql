-- Gold's counts for each song and country, over all of the song's names.
CREATE OR REPLACE TABLE ledger_held AS
WITH
  held AS (
    SELECT
      'gold/song_window' AS gold,
      epoch_ms(window_start) AS period_ms,
      country,
      song_id,
      plays,
      counted_plays,
      ms_played
    FROM gold_song_window
    UNION ALL
    SELECT
      'gold/song_day' AS gold,
      epoch_ms(CAST(date AS TIMESTAMP)) AS period_ms,
      country,
      song_id,
      plays,
      counted_plays,
      ms_played
    FROM gold_song_day
    UNION ALL
    SELECT
      'gold/activity_hour' AS gold,
      epoch_ms(hour_start) AS period_ms,
      country,
      NULL AS song_id,
      plays,
      counted_plays,
      ms_played
    FROM gold_activity_hour
  )
SELECT
  gold,
  period_ms,
  country,
  song_id,
  CAST(sum(plays) AS BIGINT) AS plays,
  CAST(sum(counted_plays) AS BIGINT) AS counted_plays,
  CAST(sum(ms_played) AS BIGINT) AS ms_played
FROM held
GROUP BY ALL
