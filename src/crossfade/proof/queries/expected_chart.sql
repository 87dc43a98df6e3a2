-- Every chart of every closed period, ranked again from the closed days of silver.
CREATE OR REPLACE TABLE expected_chart AS
WITH
  periods AS (
    SELECT *, 'day' AS period, date AS period_start, date + 1 AS period_end
    FROM expected_song_day
    UNION ALL
    SELECT
      *,
      'week' AS period,
      date - CAST((isodow(date) + 2) % 7 AS INTEGER) AS period_start,
      date - CAST((isodow(date) + 2) % 7 AS INTEGER) + 7 AS period_end
    FROM expected_song_day
    UNION ALL
    SELECT
      *,
      'month' AS period,
      CAST(date_trunc('month', date) AS DATE) AS period_start,
      CAST(date_trunc('month', date) + INTERVAL 1 MONTH AS DATE) AS period_end
    FROM expected_song_day
    UNION ALL
    SELECT
      *,
      'year' AS period,
      CAST(date_trunc('year', date) AS DATE) AS period_start,
      CAST(date_trunc('year', date) + INTERVAL 1 YEAR AS DATE) AS period_end
    FROM expected_song_day
  ),
  entries AS (
    SELECT 'songs' AS chart, song_id AS id, *
    FROM periods
    UNION ALL
    SELECT 'artists' AS chart, artist_key AS id, *
    FROM periods
  ),
  spellings AS (
    SELECT chart, period, period_start, id, artist, sum(plays) AS plays
    FROM entries
    GROUP BY ALL
  ),
  most_played AS (
    SELECT chart, period, period_start, id, arg_max(artist, (plays, artist)) AS artist
    FROM spellings
    GROUP BY ALL
  ),
  summed AS (
    SELECT
      chart,
      period,
      period_start,
      id,
      arg_max({'title': title, 'artist': artist}, (date, plays, title, artist)) AS names,
      sum(charted_plays) AS charted_plays,
      sum(counted_plays) AS counted_plays,
      sum(plays) AS plays,
      sum(ms_played) AS ms_played
    FROM entries
    WHERE epoch_ms(CAST(period_end AS TIMESTAMP)) <= $closed_until
    GROUP BY ALL
  )
SELECT
  chart,
  period,
  period_start,
  row_number() OVER (
    PARTITION BY chart, period, period_start
    ORDER BY charted_plays DESC, counted_plays DESC, plays DESC, ms_played DESC, id
  ) AS "rank",
  id,
  CASE WHEN chart = 'songs' THEN names.title END AS title,
  CASE WHEN chart = 'songs' THEN names.artist ELSE most_played.artist END AS artist,
  CAST(charted_plays AS BIGINT) AS charted_plays,
  CAST(counted_plays AS BIGINT) AS counted_plays,
  CAST(plays AS BIGINT) AS plays,
  CAST(ms_played AS BIGINT) AS ms_played
FROM summed
JOIN most_played USING (chart, period, period_start, id)
WHERE charted_plays > 0
