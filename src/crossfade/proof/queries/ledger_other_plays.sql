-- Plays that were sent and accepted, and that have other values in silver.
WITH
  compared AS (
    SELECT
      sent."partition",
      sent."offset",
      sent.number,
      sent.event_id,
      list_filter(
        [
          CASE
            WHEN held.event_id IS DISTINCT FROM sent.event_id
              THEN concat('event_id ', held.event_id, ' instead of ', sent.event_id)
          END,
          CASE
            WHEN held.user_id IS DISTINCT FROM sent.user_id
              THEN concat('user_id ', held.user_id, ' instead of ', sent.user_id)
          END,
          CASE
            WHEN epoch_ms(held.event_time) IS DISTINCT FROM sent.event_time
              THEN concat('event_time ', epoch_ms(held.event_time), ' instead of ', sent.event_time)
          END,
          CASE
            WHEN held.song_id IS DISTINCT FROM sent.song_id
              THEN concat('song_id ', held.song_id, ' instead of ', sent.song_id)
          END,
          CASE
            WHEN held.country IS DISTINCT FROM sent.country
              THEN concat('country ', held.country, ' instead of ', sent.country)
          END,
          CASE
            WHEN held.ms_played IS DISTINCT FROM sent.ms_played
              THEN concat(
                'ms_played ', coalesce(CAST(held.ms_played AS VARCHAR), 'missing'),
                ' instead of ', coalesce(CAST(sent.ms_played AS VARCHAR), 'missing')
              )
          END,
          CASE
            WHEN held.is_counted IS DISTINCT FROM sent.is_counted
              THEN concat('is_counted ', held.is_counted, ' instead of ', sent.is_counted)
          END
        ],
        lambda fault: fault IS NOT NULL
      ) AS faults
    FROM ledger_rows AS sent
    LEFT JOIN ledger_unsure AS unsure USING (ledger, number)
    JOIN silver_plays AS held USING ("partition", "offset")
    WHERE
      ledger = $ledger
      AND place = 'covered'
      AND (sent.answer = 'accepted' OR unsure.number IS NOT NULL)
  )
SELECT
  count(*) OVER () AS wrong,
  "partition",
  "offset",
  number,
  event_id,
  array_to_string(faults, ', ') AS fault
FROM compared
WHERE len(faults) > 0
ORDER BY number
LIMIT $named
