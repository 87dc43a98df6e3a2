-- How many rows a table has.
SELECT count(*) AS row_count
FROM query_table($table)
