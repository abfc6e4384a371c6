"""The commands `autonas spaces ...`: list the search spaces, show one, copy one.

Like the main command it imports only typer at the start.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Json", "app"]

app = typer.Typer(no_args_is_help=False)

_WIDE = 160  # columns of a tree that is not printed to a terminal

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on the standard output.")]
Space = Annotated[str, typer.Argument(metavar="NAME", help="Of a space, or a YAML file.", show_default=False)]


@app.callback(invoke_without_command=True)
def _list(context: typer.Context, as_json: Json = False) -> None:
    """List the search spaces, show the hyperparameters and conditions of one, or copy one to edit it."""
    if context.invoked_subcommand is not None:
        return
    from autonas.search_space.describe import space_table
    from autonas.search_space.load import list_spaces

    found = list_spaces()
    typer.echo(json.dumps([asdict(space) for space in found]) if as_json else space_table(found))


@app.command()
def show(space: Space, as_json: Json = False) -> None:
    """Print the tree of conditions of a space."""
    from autonas.search_space.describe import described, space_tree

    if as_json:
        typer.echo(json.dumps(described(space)))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else _WIDE).print(space_tree(space))


@app.command()
def copy(
    space: Space,
    path: Annotated[
        Path | None, typer.Argument(help="File or folder; default: NAME.yaml here.", show_default=False)
    ] = None,
) -> None:
    """Write an editable copy of a space."""
    from autonas.search_space.describe import copy_space

    target = copy_space(space, path)
    typer.echo(f"{target}  Use it:  autonas fit DATA --space {target if len(target.parts) > 1 else f'./{target}'}")
