"""Training the network of one architecture from scratch: after a search, or to choose among architectures."""
