"""The search loop, its journal, its checkpoints and its executors."""
