"""The proof: every number recomputed from records and tables, sharing no code with the layers."""
