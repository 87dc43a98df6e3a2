-- Rows that a complete ledger cannot have: two with the same number or position, or a row that
-- contradicts itself.
WITH
  positions AS (
    SELECT
      min(number) FILTER (WHERE ledger = $ledger) AS number,
      'at the position of another record' AS fault
    FROM ledger_records
    WHERE "offset" IS NOT NULL
    GROUP BY "partition", "offset"
    HAVING count(*) > 1 AND bool_or(ledger = $ledger)
  ),
  numbers AS (
    SELECT number, 'under the number of another record' AS fault
    FROM ledger_records
    WHERE ledger = $ledger
    GROUP BY number
    HAVING count(*) > 1
  ),
  contradictions AS (
    SELECT
      number,
      CASE
        WHEN number NOT BETWEEN 0 AND $records - 1 THEN 'a number beyond the ledger''s records'
        WHEN error IS NOT NULL AND "offset" IS NOT NULL THEN 'an error and an offset'
        WHEN ("partition" IS NULL) <> ("offset" IS NULL) THEN 'half a position'
        WHEN answer NOT IN ('accepted', 'rejected', 'duplicate') THEN 'the answer ' || answer
        WHEN (answer = 'rejected') <> (reason IS NOT NULL) THEN answer || ' with the reason '
          || coalesce(reason, 'missing')
        WHEN
          answer <> 'rejected'
          AND (
            event_id IS NULL
            OR user_id IS NULL
            OR song_id IS NULL
            OR country IS NULL
            OR event_time IS NULL
            OR is_counted IS NULL
          )
          THEN answer || ' with half a play'
      END AS fault
    FROM ledger_records
    WHERE ledger = $ledger
  )
SELECT count(*) OVER () AS wrong, number, fault
FROM (
  FROM positions
  UNION ALL
  FROM numbers
  UNION ALL
  FROM contradictions WHERE fault IS NOT NULL
)
ORDER BY number, fault
LIMIT $named
