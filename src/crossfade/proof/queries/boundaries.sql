-- The run that took a window over: the first whose boundary is not before the window's end.
CREATE OR REPLACE TABLE boundaries AS
SELECT boundary, min(run) AS run
FROM gold_run
WHERE run > 0
GROUP BY boundary
