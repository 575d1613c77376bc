"""The command line: one module a command, each of which registers itself on `app` when it is imported."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import typer

from handoff.commands._app import app

COMMANDS = tuple(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def main() -> None:
    """The `handoff` command. Of its modules it imports the one that is asked for: all take half a second."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    (with_commands(asked) if asked in COMMANDS else with_commands(*COMMANDS))()


def with_commands(*names: str) -> typer.Typer:
    """`app`, with these commands on it."""
    for name in names:
        import_module(f"{__name__}.{name}")
    return app
