-- Covered records whose outcome in silver differs from the ledger's, or that have none or several.
-- A duplicate must be one of the play that was sent. Records of an erased listener must be erased;
-- for a record that is not a play, the ledger does not know the listener.
WITH
  placed AS (
    SELECT "partition", "offset", 'accepted' AS answer, 'accepted' AS outcome, NULL AS winner
    FROM silver_plays
    UNION ALL
    SELECT "partition", "offset", 'rejected as ' || reason, 'rejected as ' || reason, NULL
    FROM silver_rejected
    UNION ALL
    SELECT "partition", "offset", 'erased', 'erased', NULL FROM silver_erased
    UNION ALL
    SELECT
      copies."partition",
      copies."offset",
      'duplicate',
      concat(
        'duplicate of [', copies.winner_partition, '] ', copies.winner_offset,
        coalesce(' (event ' || plays.event_id || ')', ', which is not accepted')
      ),
      {'user_id': plays.user_id, 'event_id': plays.event_id}
    FROM silver_duplicates AS copies
    LEFT JOIN silver_plays AS plays
      ON plays."partition" = copies.winner_partition
      AND plays."offset" = copies.winner_offset
  ),
  compared AS NOT MATERIALIZED (
    SELECT
      sent."partition",
      sent."offset",
      sent.number,
      sent.event_id,
      CASE
        WHEN sent.answer = 'rejected' THEN 'rejected as ' || coalesce(sent.reason, 'nothing')
        ELSE sent.answer
      END AS wanted,
      placed.outcome,
      CASE
        WHEN placed.answer = 'erased'
          THEN erased_users.user_id IS NOT NULL OR sent.user_id IS NULL
        WHEN erased_users.is_settled THEN false
        WHEN
          placed.answer = 'duplicate'
          AND placed.winner IS DISTINCT FROM {'user_id': sent.user_id, 'event_id': sent.event_id}
          THEN false
        WHEN unsure.number IS NOT NULL THEN placed.answer IN ('accepted', 'duplicate')
        ELSE placed.answer = wanted
      END AS is_right
    FROM ledger_rows AS sent
    LEFT JOIN ledger_unsure AS unsure USING (ledger, number)
    LEFT JOIN erased_users ON erased_users.user_id = sent.user_id
    LEFT JOIN placed USING ("partition", "offset")
    WHERE ledger = $ledger AND place = 'covered'
  ),
  suspects AS (
    SELECT number
    FROM compared
    GROUP BY number
    HAVING count(outcome) <> 1 OR NOT coalesce(bool_and(is_right), false)
  ),
  judged AS (
    SELECT
      number,
      any_value("partition") AS "partition",
      any_value("offset") AS "offset",
      any_value(event_id) AS event_id,
      any_value(wanted) AS wanted,
      count(outcome) AS times,
      min(outcome) AS first_outcome,
      max(outcome) AS last_outcome
    FROM compared
    SEMI JOIN suspects USING (number)
    GROUP BY number
  )
SELECT
  count(*) OVER () AS wrong,
  "partition",
  "offset",
  number,
  event_id,
  wanted || ' by the ledger, '
  || CASE
    WHEN times = 0 THEN 'nowhere in silver'
    WHEN times = 1 THEN first_outcome || ' in silver'
    WHEN times = 2 THEN first_outcome || ' and ' || last_outcome || ' in silver'
    ELSE first_outcome || ' and ' || last_outcome || ' in silver, ' || times || ' times in all'
  END AS fault
FROM judged
ORDER BY number
LIMIT $named
