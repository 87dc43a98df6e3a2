-- How many records that were not acknowledged are in the log after all.
SELECT count(*) AS found
FROM ledger_unlisted
WHERE fault IS NULL
