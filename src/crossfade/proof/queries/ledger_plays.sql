-- How many plays a table of gold must have, and how many it has.
SELECT
  CAST(coalesce((SELECT sum(plays) FROM ledger_wanted WHERE gold = $gold), 0) AS BIGINT) AS wanted,
  CAST(coalesce((SELECT sum(plays) FROM ledger_held WHERE gold = $gold), 0) AS BIGINT) AS held
