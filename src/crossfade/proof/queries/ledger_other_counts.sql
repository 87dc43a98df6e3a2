-- Where a ledger's counts differ from those of its own accepted rows.
WITH
  wanted AS (
    SELECT
      event_time // 3600000 * 3600000 AS hour,
      country,
      song_id,
      count(*) AS plays,
      count(*) FILTER (WHERE is_counted) AS counted_plays,
      CAST(coalesce(sum(ms_played), 0) AS BIGINT) AS ms_played
    FROM ledger_records
    WHERE ledger = $ledger AND answer = 'accepted'
    GROUP BY ALL
  ),
  held AS (SELECT * FROM ledger_counts WHERE ledger = $ledger)
SELECT
  count(*) OVER () AS wrong,
  coalesce(wanted.hour, held.hour) AS period_ms,
  coalesce(wanted.country, held.country) AS country,
  coalesce(wanted.song_id, held.song_id) AS song_id,
  coalesce(held.plays, 0) AS plays_held,
  coalesce(held.counted_plays, 0) AS counted_plays_held,
  coalesce(held.ms_played, 0) AS ms_played_held,
  coalesce(wanted.plays, 0) AS plays_wanted,
  coalesce(wanted.counted_plays, 0) AS counted_plays_wanted,
  coalesce(wanted.ms_played, 0) AS ms_played_wanted
FROM wanted
FULL JOIN held
  ON held.hour = wanted.hour
  AND held.country = wanted.country
  AND held.song_id = wanted.song_id
WHERE
  (wanted.plays, wanted.counted_plays, wanted.ms_played)
  IS DISTINCT FROM (held.plays, held.counted_plays, held.ms_played)
ORDER BY 2, 3, 4
LIMIT $named
