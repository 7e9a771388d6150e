"""What makes a log: recipes, images, supernets that share, their training, and the log itself."""
