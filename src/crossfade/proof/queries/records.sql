-- Bronze's records in a range of offsets, as Kafka would return them.
SELECT
  "offset",
  epoch_ms(log_time) AS log_time,
  timestamp_type,
  "key",
  "value",
  headers
FROM bronze_song_plays
WHERE "partition" = $partition AND "offset" >= $begin AND "offset" < $end
ORDER BY "offset"
