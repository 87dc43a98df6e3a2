-- The content of bronze's records: all of them, or an even sample that never changes.
SELECT
  "partition",
  "offset",
  epoch_ms(log_time) AS log_time,
  timestamp_type,
  "key",
  headers,
  "value"
FROM bronze_song_plays
WHERE $every = 1 OR hash("partition", "offset") % $every = 0
