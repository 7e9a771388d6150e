"""Runs as TensorBoard, Weights & Biases, Trackio and MLflow show them."""
