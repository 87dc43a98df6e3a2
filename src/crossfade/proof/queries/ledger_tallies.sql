-- The numbers of a ledger's seal, counted from its rows.
WITH
  sent AS (SELECT * FROM ledger_records WHERE ledger = $ledger)
SELECT 'records' AS what, count(*) AS tally FROM sent
UNION ALL
SELECT 'acknowledged', count("offset") FROM sent
UNION ALL
SELECT 'unknown', count(error) FROM sent
UNION ALL
SELECT 'counted_plays', count(*) FROM sent WHERE answer = 'accepted' AND is_counted
UNION ALL
SELECT 'ms_played', CAST(coalesce(sum(ms_played), 0) AS BIGINT) FROM sent WHERE answer = 'accepted'
UNION ALL
SELECT 'answers ' || answer, count(*) FROM sent GROUP BY answer
UNION ALL
SELECT 'reasons ' || reason, count(*) FROM sent WHERE reason IS NOT NULL GROUP BY reason
UNION ALL
SELECT 'faults ' || fault, count(*) FROM sent WHERE fault IS NOT NULL GROUP BY fault
