-- Every published run: its boundary, and up to where it covers each topic partition.
SELECT run, boundary, end_offsets
FROM gold_run
ORDER BY run
