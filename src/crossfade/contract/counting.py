"""The rules by which plays are counted and charted; a change of one is a new RULES_VERSION."""

RULES_VERSION = "1"
"""Stored with every batch run, so that a chart names the rules that made it."""

COUNTED_AFTER_MS = 30_000
"""A play counts when it was heard for this long, or when its source does not say how long."""

DAILY_CAP = 10
"""Charted plays that one listener can give one song in one UTC day."""

SKETCH_LG_K = 10
"""Size of a listeners sketch in both layers: HyperLogLog of 2^10 registers, stated error 3.3 %."""

CHART_WEEK_STARTS = 4
"""Weekday on which a chart week begins (`date.weekday`): Friday, so it ends on Thursday."""
