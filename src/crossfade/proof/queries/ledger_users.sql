-- All listeners with a play in a ledger.
SELECT DISTINCT user_id
FROM ledger_records
WHERE user_id IS NOT NULL
