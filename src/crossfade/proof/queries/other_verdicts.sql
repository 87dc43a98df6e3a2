-- Records whose verdict in the tables differs from the contract's.
WITH
  placed AS (
    SELECT "partition", "offset", NULL AS reason FROM silver_plays
    UNION ALL
    SELECT "partition", "offset", NULL AS reason FROM silver_duplicates
    UNION ALL
    SELECT "partition", "offset", reason FROM silver_rejected
    UNION ALL
    SELECT "partition", "offset", 'erased' AS reason FROM silver_erased
  ),
  compared AS (
    SELECT
      "partition",
      "offset",
      coalesce(judged.reason, 'accepted') AS by_contract,
      CASE
        WHEN placed."offset" IS NULL THEN 'nowhere'
        ELSE coalesce(placed.reason, 'accepted')
      END AS by_tables
    FROM judged
    LEFT JOIN placed USING ("partition", "offset")
  )
SELECT DISTINCT
  "partition",
  "offset",
  by_contract || ' by the contract, ' || by_tables || ' in the tables' AS fault
FROM compared
WHERE by_contract <> by_tables
ORDER BY 1, 2
