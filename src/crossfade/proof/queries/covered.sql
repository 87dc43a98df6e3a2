-- The range of offsets that the newest run covers of each topic partition.
SELECT "partition", first_offset, end_offset
FROM bounds
ORDER BY 1
