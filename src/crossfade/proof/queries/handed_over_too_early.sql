-- Plays that speed counts, logged beyond what the run that took their window over had read.
SELECT "partition", "offset", window_ms, run
FROM on_time
WHERE NOT is_covered
ORDER BY ALL
