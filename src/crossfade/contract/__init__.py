"""What a play is: its fields, the rules that it obeys and how one is read."""
