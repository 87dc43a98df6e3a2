-- chart:     songs
-- question:  Which songs were played most in a day, a chart week, a month or a year?
-- listeners: song
-- rank by:   charted_plays, counted_plays, plays, ms_played

WITH totals AS (
  SELECT
    calendar.period,
    calendar.period_start,
    song_day.song_id AS id,
    max(struct(song_day.date, song_day.plays, song_day.title, song_day.artist)) AS newest,
    sum(song_day.charted_plays) AS charted_plays,
    sum(song_day.counted_plays) AS counted_plays,
    sum(song_day.plays) AS plays,
    sum(song_day.ms_played) AS ms_played
  FROM song_day
  INNER JOIN calendar ON song_day.date = calendar.date
  GROUP BY calendar.period, calendar.period_start, song_day.song_id
)

SELECT
  period,
  period_start,
  id,
  newest.title AS title,
  newest.artist AS artist,
  charted_plays,
  counted_plays,
  plays,
  ms_played
FROM totals
