-- chart:     artists
-- question:  Which artists were played most in a day, a chart week, a month or a year?
-- listeners: artist
-- rank by:   charted_plays, counted_plays, plays, ms_played

WITH spellings AS (
  SELECT
    calendar.period,
    calendar.period_start,
    song_day.artist_key,
    song_day.artist,
    sum(song_day.charted_plays) AS charted_plays,
    sum(song_day.counted_plays) AS counted_plays,
    sum(song_day.plays) AS plays,
    sum(song_day.ms_played) AS ms_played
  FROM song_day
  INNER JOIN calendar ON song_day.date = calendar.date
  GROUP BY calendar.period, calendar.period_start, song_day.artist_key, song_day.artist
)

SELECT
  period,
  period_start,
  artist_key AS id,
  CAST(NULL AS STRING) AS title,
  max(struct(plays, artist)).artist AS artist,
  sum(charted_plays) AS charted_plays,
  sum(counted_plays) AS counted_plays,
  sum(plays) AS plays,
  sum(ms_played) AS ms_played
FROM spellings
GROUP BY period, period_start, artist_key
