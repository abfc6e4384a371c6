"""Conformance cases: what every search space and every strategy must do, for our tests and for those of others.

A case is a function that raises AssertionError; each module lists its own in ``CASES``, ready for
``pytest.mark.parametrize``.
"""
