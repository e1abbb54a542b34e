"""Training: the objective, the training loop and checkpoints."""
