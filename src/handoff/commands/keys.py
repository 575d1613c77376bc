"""`handoff keys`: who may call the service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from handoff.access import ROLES, Key, add_key, read_keys, revoke_key
from handoff.commands._app import app
from handoff.commands._console import console, print_json
from handoff.settings import KEYS_FILE

RoleOption = StrEnum("RoleOption", {role: role for role in ROLES})  # type: ignore[misc]  # from the one list of roles


def _file(path: Path) -> Path:
    """A file of keys that the service would read. A folder that is not there is a slip, and none is made."""
    if str(path).lower() == "none":
        raise typer.BadParameter(f"'{path}' lets the service ask for no key; name the file of keys")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}; make it, or name another file")
    return path


FileOption = Annotated[
    Path,
    typer.Option("--keys", envvar="HANDOFF_KEYS", dir_okay=False, help="The file of all keys.", callback=_file),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]

keys_app = typer.Typer(no_args_is_help=True, help="The keys that the service asks for: add, list, revoke.")
app.add_typer(keys_app, name="keys")


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key as it may be shown. `key` is the key itself, and there only once: when it is made."""

    id: str
    name: str
    roles: Sequence[str]
    created_at: datetime
    revoked_at: datetime | None = None
    key: str | None = None


@keys_app.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help="What the key is for: chat-backend, prometheus, ana.")],
    roles: Annotated[list[RoleOption], typer.Option("--role", help="What it may do; give it several times.")],
    path: FileOption = Path(KEYS_FILE),
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once. A running service knows it a second later.

    predict: ask for decisions. feedback: report outcomes. read: pages, rules, status, metrics. administer: everything.

    Example: `handoff keys add chat-backend --role predict --role feedback`
    """
    key, secret = add_key(path, name, [role for role in ROLES if role in roles], datetime.now(UTC))
    if as_json:
        print_json(_shown(key, secret))
        return
    console.print(f"'{key.name}' may {', '.join(key.roles)}. Its key, which is shown only now:", markup=False)
    typer.echo(secret)


@keys_app.command("list")
def list_command(path: FileOption = Path(KEYS_FILE), as_json: JsonOption = False) -> None:
    """List the keys, without what makes them work.

    Example: `handoff keys list --json`
    """
    keys = read_keys(path)
    if as_json:
        print_json([_shown(key) for key in keys])
        return
    for key in keys:
        until = f", revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else ""
        made = f"made {key.created_at:%Y-%m-%d %H:%M}"
        console.print(f"{key.id}  {key.name}: {', '.join(key.roles)} ({made}{until})", markup=False)


@keys_app.command("revoke")
def revoke_command(
    which: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key, by its name or its id.")],
    path: FileOption = Path(KEYS_FILE),
    as_json: JsonOption = False,
) -> None:
    """Make a key worthless. A running service refuses it a second later.

    Example: `handoff keys revoke chat-backend`
    """
    key = revoke_key(path, which, datetime.now(UTC))
    print_json(_shown(key)) if as_json else console.print(f"'{key.name}' ({key.id}) is revoked", markup=False)


def _shown(key: Key, secret: str | None = None) -> Shown:
    return Shown(key.id, key.name, key.roles, key.created_at, key.revoked_at, secret)
