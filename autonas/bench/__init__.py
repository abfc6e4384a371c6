"""Benchmarks by hand: tables of trained architectures, sweeps of the spaces, comparisons of strategies."""
