-- How many of a ledger's records the newest run covers, and how many stand otherwise to it.
SELECT place, count(*) AS records, count(*) FILTER (WHERE answer = 'accepted') AS accepted
FROM ledger_rows
WHERE ledger = $ledger
GROUP BY ALL
