"""The trade between accuracy and cost, from the weights of one search."""
