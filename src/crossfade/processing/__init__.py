"""The two layers of Spark: what is archived, counted at once and counted right."""
