"""How well trained supernets rank the architectures of their space, held against accuracies after training alone."""
