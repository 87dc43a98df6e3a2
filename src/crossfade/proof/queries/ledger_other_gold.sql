-- Where a table of gold has other counts than the plays that were sent.
WITH
  wanted AS (SELECT * FROM ledger_wanted WHERE gold = $gold),
  held AS (SELECT * FROM ledger_held WHERE gold = $gold)
SELECT
  count(*) OVER () AS wrong,
  coalesce(wanted.period_ms, held.period_ms) AS period_ms,
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
  ON held.period_ms = wanted.period_ms
  AND held.country IS NOT DISTINCT FROM wanted.country
  AND held.song_id IS NOT DISTINCT FROM wanted.song_id
WHERE
  (wanted.plays, wanted.counted_plays, wanted.ms_played)
  IS DISTINCT FROM (held.plays, held.counted_plays, held.ms_played)
ORDER BY 2, 3, 4
LIMIT $named
