"""Training: one task a family; data, losses and the engine are shared."""
