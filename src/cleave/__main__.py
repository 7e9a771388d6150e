"""`python -m cleave` is `cleave`."""

from cleave.cli import main

main()
