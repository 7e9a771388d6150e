"""Statistics of results: how well architectures are ranked, with intervals."""
