-- How many charts and how many entries gold has.
SELECT count(DISTINCT (chart, period, period_start)) AS charts, count(*) AS entries
FROM held_chart
