-- gold/song as silver says: what the newest play of each song names it; of two at once, the
-- greater event_id's.
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
