"""Call the command line as a person does, wherever the test may run."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from handoff.commands import COMMANDS, with_commands

app = with_commands(*COMMANDS)


def run(*arguments: object, columns: int = 100, **environment: str) -> Result:
    """Exit status, stdout and stderr. Models and rules of whoever runs the tests are left out of it."""
    env = {"HANDOFF_MODELS": "no-such-folder", "HANDOFF_RULES": "", "HANDOFF_POLICY": "", "HANDOFF_CONFIDENCE": ""}
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], env={**env, "COLUMNS": str(columns), **environment}
    )
