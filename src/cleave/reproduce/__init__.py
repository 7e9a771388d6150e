"""The published experiments, each by one command and at three budgets."""
