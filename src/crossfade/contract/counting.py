"""The rules for counting and charting plays; changing one requires a new RULES_VERSION."""

RULES_VERSION = "2"
"""Stored with every batch run, to record which rules its charts were made with."""

COUNTED_AFTER_MS = 30_000
"""A play counts if it was heard for at least this long, or if `ms_played` is absent."""

DAILY_CAP = 10
"""The most charted plays of one song by one listener in one UTC day."""

SKETCH_LG_K = 10
"""Size of a listener sketch in both layers: 2^10 HyperLogLog registers, standard error 3.3 %."""

CHART_WEEK_STARTS = 4
"""The first day of a chart week, as a `date.weekday` number: Friday."""
