-- The counts that gold must have for each song and country, over the closed ranges.
CREATE OR REPLACE TABLE ledger_wanted AS
WITH
  kept AS (
    SELECT
      'gold/song_window' AS gold,
      event_time // $grain * $grain AS period_ms,
      *
    FROM ledger_truth
    WHERE event_time >= $kept_from AND event_time < $boundary
    UNION ALL
    SELECT
      'gold/song_day' AS gold,
      event_time // 86400000 * 86400000 AS period_ms,
      *
    FROM ledger_truth
    WHERE event_time < $closed_day
    UNION ALL
    SELECT
      'gold/activity_hour' AS gold,
      event_time // 3600000 * 3600000 AS period_ms,
      * REPLACE (NULL AS song_id)
    FROM ledger_truth
    WHERE event_time < $closed_hour
  )
SELECT
  gold,
  period_ms,
  country,
  song_id,
  count(*) AS plays,
  count(*) FILTER (WHERE is_counted) AS counted_plays,
  CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played
FROM kept
GROUP BY ALL
