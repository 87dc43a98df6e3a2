-- How many records without an acknowledgement are in the log after all.
SELECT count(*) AS found
FROM ledger_unlisted
WHERE fault IS NULL
