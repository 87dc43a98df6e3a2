-- Plays of a ledger's run that are in silver but were not sent.
SELECT
  count(*) OVER () AS wrong,
  "partition",
  "offset",
  NULL AS number,
  event_id,
  fault
FROM ledger_unlisted
WHERE fault IS NOT NULL
ORDER BY "partition", "offset"
LIMIT $named
