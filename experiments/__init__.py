"""Measurements behind the figures in docs/results, each a command that anyone can run again."""
