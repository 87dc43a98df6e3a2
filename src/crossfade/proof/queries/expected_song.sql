-- gold/song computed from silver: the names in the newest play of each song. Of two plays at the
-- same time, the one with the greater event_id counts.
CREATE OR REPLACE TABLE expected_song AS
WITH
  newest AS (
    SELECT
      song_id,
      max({
        'event_time': event_time,
        'event_id': event_id,
        'title': title,
        'artist': artist,
        'album': album
      }) AS play
    FROM silver_plays
    GROUP BY song_id
  )
SELECT song_id, play.title, play.artist, play.album, play.event_time, play.event_id
FROM newest
