"""Which packages there are; everything else stands in pyproject.toml.

The library of search spaces lies at the top of the repository, where a person finds and edits it,
and is installed as ``autonas.spaces``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["autonas", "autonas.*"]), "autonas.spaces"],
    package_dir={"autonas.spaces": "spaces"},
)
