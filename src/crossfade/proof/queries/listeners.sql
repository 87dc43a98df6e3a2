-- For each sketch that gold should have: the exact number of listeners in silver, and the sketch.
WITH
  heard AS (
    SELECT
      *,
      concat_ws('/', country, city) AS place,
      epoch_ms(event_time) // $grain * $grain AS window_ms,
      epoch_ms(event_time) // 86400000 * 86400000 AS day_ms
    FROM silver_plays
    WHERE epoch_ms(event_time) < $boundary
  ),
  spans AS (
    SELECT 'day' AS span, day_ms AS start_ms, *
    FROM heard
    WHERE day_ms < $closed_day
    UNION ALL
    SELECT 'window' AS span, window_ms AS start_ms, *
    FROM heard
    WHERE window_ms >= $kept_from
  ),
  keyed AS (
    SELECT span, start_ms, 'song' AS kind, song_id AS key, user_id FROM spans
    UNION ALL
    SELECT span, start_ms, 'artist' AS kind, artist_key AS key, user_id FROM spans
    UNION ALL
    SELECT span, start_ms, 'country' AS kind, country AS key, user_id FROM spans
    UNION ALL
    SELECT span, start_ms, 'city' AS kind, place AS key, user_id FROM spans WHERE city IS NOT NULL
  ),
  exact AS (
    SELECT span, start_ms, kind, key, count(DISTINCT user_id) AS people
    FROM keyed
    GROUP BY ALL
  )
SELECT
  coalesce(span, grain) AS span,
  coalesce(start_ms, epoch_ms(period_start)) AS start_ms,
  coalesce(exact.kind, gold_listeners.kind) AS kind,
  coalesce(exact.key, gold_listeners.key) AS key,
  coalesce(people, 0) AS people,
  listeners
FROM exact
FULL JOIN gold_listeners
  ON gold_listeners.grain = exact.span
  AND epoch_ms(gold_listeners.period_start) = exact.start_ms
  AND gold_listeners.kind = exact.kind
  AND gold_listeners.key = exact.key
