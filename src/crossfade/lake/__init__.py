"""The lake: its tables and published runs, and what is kept beside them."""
