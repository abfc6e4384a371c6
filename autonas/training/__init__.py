"""How one model is trained on every fold of a task."""
