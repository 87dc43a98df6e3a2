-- Positions at which silver has plays of a ledger's run and no ledger has a record. A record
-- without an acknowledgement may be in the log once; any more are a fault.
CREATE OR REPLACE TABLE ledger_unlisted AS
WITH
  held AS (
    SELECT
      'accepted' AS answer,
      "partition",
      "offset",
      user_id,
      event_id,
      epoch_ms(event_time) // 86400000 AS day
    FROM silver_plays
    WHERE starts_with(event_id, $run || '-')
    UNION ALL
    SELECT
      'duplicate' AS answer,
      copies."partition",
      copies."offset",
      plays.user_id,
      plays.event_id,
      epoch_ms(plays.event_time) // 86400000 AS day
    FROM silver_duplicates AS copies
    JOIN silver_plays AS plays
      ON plays."partition" = copies.winner_partition
      AND plays."offset" = copies.winner_offset
    WHERE starts_with(plays.event_id, $run || '-')
  ),
  unlisted AS (
    SELECT *
    FROM held
    ANTI JOIN ledger_records USING ("partition", "offset")
  ),
  unknown AS (
    SELECT user_id, event_id, event_time // 86400000 AS day, count(*) AS sent
    FROM ledger_records
    WHERE error IS NOT NULL AND answer <> 'rejected'
    GROUP BY ALL
  ),
  accepted AS (
    SELECT user_id, event_id, day, count(*) AS times
    FROM held
    SEMI JOIN unlisted USING (user_id, event_id, day)
    WHERE answer = 'accepted'
    GROUP BY ALL
  )
SELECT
  "partition",
  "offset",
  event_id,
  CASE
    WHEN
      row_number() OVER (
        PARTITION BY user_id, event_id, day
        ORDER BY "partition", "offset"
      ) > coalesce(sent, 0)
      THEN unlisted.answer || ' in silver, in no ledger'
    WHEN unlisted.answer = 'accepted' AND times > 1
      THEN 'accepted in silver, and so is another record of the play'
  END AS fault
FROM unlisted
LEFT JOIN unknown USING (user_id, event_id, day)
LEFT JOIN accepted USING (user_id, event_id, day)
