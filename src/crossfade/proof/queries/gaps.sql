-- Offsets that runs noted as never given to a record, such as the ends of transactions.
CREATE OR REPLACE TABLE gaps AS
WITH
  noted AS (
    SELECT unnest(gaps, recursive := true)
    FROM gold_run
  )
SELECT DISTINCT "partition", unnest(range(begin_offset, end_offset)) AS "offset"
FROM noted
