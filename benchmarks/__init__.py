"""How fast cleave is, against the way published code does the same work."""
