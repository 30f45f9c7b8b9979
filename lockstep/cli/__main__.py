"""`python -m lockstep.cli`."""

from lockstep.cli.main import main

main()
