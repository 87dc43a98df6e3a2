-- Every published run: its boundary, and the end offsets that it covers.
SELECT run, boundary, end_offsets
FROM gold_run
ORDER BY run
