"""The contract: the fields of a play, their rules, and the decoder."""
