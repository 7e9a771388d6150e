"""Finished runs of several seeds, compared seed by seed: which group of them is better, and how sure that is."""
