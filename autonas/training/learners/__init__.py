"""Learners without a network, one file each; a space names them like any family."""
