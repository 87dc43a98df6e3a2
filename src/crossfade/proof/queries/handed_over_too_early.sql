-- Plays that speed counts, at offsets not covered by the run that took their window over.
SELECT "partition", "offset", window_ms, run
FROM on_time
WHERE NOT is_covered
ORDER BY ALL
