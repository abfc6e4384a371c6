"""Functions to minimise, importable by worker processes."""

import os


def distance(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


def deadly(config):
    if config["y"] > 0.8:
        os._exit(1)  # takes its worker with it
    return distance(config)


def endless(config):
    while True:
        pass
