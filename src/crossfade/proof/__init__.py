"""The proof: recomputes every number from records and tables, without the layers' code.

It shares with the layers the contract's decoder and the functions that open the lake and Kafka. It
only reads.
"""
