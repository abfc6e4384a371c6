"""The library of search spaces: YAML files, installed as ``autonas.spaces``."""
