"""`python -m crossfade`: the same as the command `crossfade`."""

from crossfade.cli import main

main()
