-- Everybody who sent a play that a ledger has.
SELECT DISTINCT user_id
FROM ledger_records
WHERE user_id IS NOT NULL
