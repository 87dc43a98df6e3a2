-- Every published run: its boundary, the end offsets that it covers, and its rules.
SELECT run, boundary, end_offsets, rules
FROM gold_run
ORDER BY run
