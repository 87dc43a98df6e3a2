-- How many of a ledger's records have each place relative to what the newest run covers.
SELECT place, count(*) AS records, count(*) FILTER (WHERE answer = 'accepted') AS accepted
FROM ledger_rows
WHERE ledger = $ledger
GROUP BY ALL
