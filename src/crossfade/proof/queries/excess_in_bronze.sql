-- Positions that bronze holds more than once, or that are outside the run's range or a gap.
SELECT
  "partition",
  "offset",
  CASE
    WHEN count(*) > 1 THEN 'held ' || count(*) || ' times'
    WHEN any_value(gaps."offset") IS NOT NULL THEN 'noted as a gap, yet held'
    ELSE 'outside the range'
  END AS fault
FROM bronze_song_plays
LEFT JOIN bounds USING ("partition")
LEFT JOIN gaps USING ("partition", "offset")
GROUP BY "partition", "offset"
HAVING
  count(*) > 1
  OR any_value(gaps."offset") IS NOT NULL
  OR NOT coalesce(any_value("offset" >= first_offset AND "offset" < end_offset), false)
ORDER BY 1, 2
