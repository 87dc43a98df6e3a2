-- gold/chart's entries, from the newest revision of each period.
CREATE OR REPLACE VIEW held_chart AS
SELECT
  chart,
  period,
  period_start,
  "rank",
  id,
  title,
  artist,
  charted_plays,
  counted_plays,
  plays,
  ms_played
FROM gold_chart
QUALIFY revision = max(revision) OVER (PARTITION BY chart, period, period_start)
