-- Offsets that runs noted as having no play: the ends of transactions, and what they took back.
CREATE OR REPLACE TABLE gaps AS
WITH
  noted AS (
    SELECT unnest(gaps, recursive := true)
    FROM gold_run
  )
SELECT DISTINCT "partition", unnest(range(begin_offset, end_offset)) AS "offset"
FROM noted
