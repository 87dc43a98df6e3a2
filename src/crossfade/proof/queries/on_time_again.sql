-- Duplicates that speed may have counted too, by window.
CREATE OR REPLACE TABLE on_time_again AS
SELECT
  epoch_ms(event_time) // $grain * $grain AS window_ms,
  count(*) FILTER (WHERE is_same_payload) AS repeats,
  count(*) FILTER (WHERE is_same_payload IS NOT TRUE) AS reused
FROM silver_duplicates
WHERE
  epoch_ms(event_time) >= $windows_from
  AND epoch_ms(event_time) BETWEEN epoch_ms(log_time) - $late_after AND epoch_ms(log_time) + $ahead
GROUP BY ALL
