"""The search: a tree of regions, a learner for each, one architecture at the end."""
