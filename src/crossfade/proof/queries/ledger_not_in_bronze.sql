-- Acknowledged records that the run covers and that are not in bronze exactly once.
WITH
  held AS (
    SELECT
      "partition",
      "offset",
      any_value(number) AS number,
      any_value(event_id) AS event_id,
      count(bronze."offset") AS times
    FROM ledger_rows
    LEFT JOIN bronze_song_plays AS bronze USING ("partition", "offset")
    WHERE ledger = $ledger AND place = 'covered'
    GROUP BY "partition", "offset"
    HAVING count(bronze."offset") <> 1
  )
SELECT
  count(*) OVER () AS wrong,
  "partition",
  "offset",
  number,
  event_id,
  CASE
    WHEN times > 1 THEN 'held ' || times || ' times'
    WHEN gaps."offset" IS NOT NULL THEN 'noted as a gap, yet sent'
    ELSE 'sent, not in bronze'
  END AS fault
FROM held
LEFT JOIN gaps USING ("partition", "offset")
ORDER BY number
LIMIT $named
