-- Rows of silver that differ from the bytes at their position, or are stored under another day.
WITH
  compared AS (
    SELECT
      silver_plays."partition",
      silver_plays."offset",
      list_filter(
        [
          CASE WHEN judged.event_time IS DISTINCT FROM epoch_ms(silver_plays.event_time) THEN 'event_time' END,
          CASE WHEN judged.event_id IS DISTINCT FROM silver_plays.event_id THEN 'event_id' END,
          CASE WHEN judged.user_id IS DISTINCT FROM silver_plays.user_id THEN 'user_id' END,
          CASE WHEN judged.country IS DISTINCT FROM silver_plays.country THEN 'country' END,
          CASE WHEN judged.song_id IS DISTINCT FROM silver_plays.song_id THEN 'song_id' END,
          CASE WHEN judged.title IS DISTINCT FROM silver_plays.title THEN 'title' END,
          CASE WHEN judged.artist IS DISTINCT FROM silver_plays.artist THEN 'artist' END,
          CASE WHEN judged.album IS DISTINCT FROM silver_plays.album THEN 'album' END,
          CASE WHEN judged.genre IS DISTINCT FROM silver_plays.genre THEN 'genre' END,
          CASE
            WHEN judged.album_artist IS DISTINCT FROM silver_plays.album_artist THEN 'album_artist'
          END,
          CASE WHEN judged.city IS DISTINCT FROM silver_plays.city THEN 'city' END,
          CASE WHEN judged.device IS DISTINCT FROM silver_plays.device THEN 'device' END,
          CASE WHEN judged.tier IS DISTINCT FROM silver_plays.tier THEN 'tier' END,
          CASE WHEN judged.kind IS DISTINCT FROM silver_plays.kind THEN 'kind' END,
          CASE WHEN judged.source IS DISTINCT FROM silver_plays.source THEN 'source' END,
          CASE WHEN judged.ms_played IS DISTINCT FROM silver_plays.ms_played THEN 'ms_played' END,
          CASE
            WHEN judged.is_counted IS DISTINCT FROM silver_plays.is_counted THEN 'is_counted'
          END,
          CASE
            WHEN judged.artist_key IS DISTINCT FROM silver_plays.artist_key THEN 'artist_key'
          END,
          CASE WHEN silver_plays.date IS DISTINCT FROM CAST(silver_plays.event_time AS DATE) THEN 'date' END,
          CASE
            WHEN silver_plays.log_time IS DISTINCT FROM bronze_song_plays.log_time THEN 'log_time'
          END
        ],
        lambda name: name IS NOT NULL
      ) AS differing
    FROM silver_plays
    JOIN judged USING ("partition", "offset")
    JOIN bronze_song_plays USING ("partition", "offset")
    WHERE judged.reason IS NULL
  )
SELECT "partition", "offset", 'other ' || array_to_string(differing, ', ') AS fault
FROM compared
WHERE len(differing) > 0
ORDER BY 1, 2
