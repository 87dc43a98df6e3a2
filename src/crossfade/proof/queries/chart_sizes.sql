-- How many charts gold has, and how many entries in all.
SELECT count(DISTINCT (chart, period, period_start)) AS charts, count(*) AS entries
FROM held_chart
