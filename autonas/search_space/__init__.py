"""Search spaces: a conditional ConfigSpace plus the families that turn a configuration into a model."""
