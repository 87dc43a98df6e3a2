"""Import of plays from the files of other services, and replay of rejected records."""
