"""Training: the objective, the one loop, and what a run can be resumed from."""
