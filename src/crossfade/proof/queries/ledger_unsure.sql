-- Records that may be accepted or a duplicate: the first acknowledged record of a play that was
-- sent before without an acknowledgement. Silver decides which of the two it is.
CREATE OR REPLACE TABLE ledger_unsure AS
WITH
  unknown AS (
    SELECT ledger, user_id, event_id, event_time // 86400000 AS day, min(number) AS number
    FROM ledger_records
    WHERE error IS NOT NULL AND answer <> 'rejected'
    GROUP BY ALL
  ),
  acknowledged AS (
    SELECT *, event_time // 86400000 AS day
    FROM ledger_records
    WHERE "offset" IS NOT NULL AND answer <> 'rejected'
  ),
  firsts AS (
    SELECT
      acknowledged.ledger,
      arg_min(
        {
          'number': acknowledged.number,
          'partition': acknowledged."partition",
          'offset': acknowledged."offset"
        },
        acknowledged.number
      ) AS sent,
      any_value(unknown.number) AS unknown_number
    FROM acknowledged
    JOIN unknown USING (ledger, user_id, event_id, day)
    GROUP BY ledger, user_id, event_id, day
  )
SELECT
  firsts.ledger,
  firsts.sent.number AS number,
  bool_or(silver_plays."offset" IS NOT NULL) AS is_accepted
FROM firsts
LEFT JOIN silver_plays
  ON silver_plays."partition" = firsts.sent."partition"
  AND silver_plays."offset" = firsts.sent."offset"
WHERE unknown_number < firsts.sent.number
GROUP BY ALL
