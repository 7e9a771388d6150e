"""Pure functions of a log and the truth: rankings, jumps, interference, pruning, and their figures with intervals."""
