-- Every ledger's rows, each with its place relative to what the newest run covers.
CREATE OR REPLACE VIEW ledger_rows AS
SELECT
  sent.*,
  CASE
    WHEN error IS NOT NULL THEN 'unknown'
    WHEN "offset" IS NULL THEN 'not in Kafka'
    WHEN "offset" < first_offset THEN 'before'
    WHEN "offset" < end_offset THEN 'covered'
    ELSE 'beyond'
  END AS place
FROM ledger_records AS sent
LEFT JOIN bounds USING ("partition")
