"""Files of a model: read and checked, or a `BadModel` that says which one and why."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from handoff.errors import BadModel
from handoff.files import digest

T = TypeVar("T")


def digests(folder: Path, leave_out: str) -> dict[str, str]:
    """File name to SHA-256 of every file in `folder` but one (the file that will hold the list)."""
    return {path.name: digest(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != leave_out}


def check_digests(folder: Path, expected: dict[str, str]) -> None:
    """Raise `BadModel` naming the first listed file that is missing, lies outside, or was changed."""
    for name, sha256 in expected.items():
        path = folder / name
        if Path(name).name != name:
            raise BadModel(f"{folder}: lists {name!r}; expected a file name without a folder")
        if not path.is_file():
            raise BadModel(f"{path}: missing; restore the folder or train again")
        found = digest(path)
        if found != sha256:
            raise BadModel(f"{path}: changed since it was written (SHA-256 {found[:12]}…, expected {sha256[:12]}…)")


def read_json(path: Path, kind: type[T]) -> T:
    """One JSON file as `kind`. Raises `BadModel` naming the file and what is wrong with it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise BadModel(f"{path}: missing; is {path.parent} the folder of a trained version?") from None
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise BadModel(f"{path}: cannot be read ({error}); restore the folder or train again") from error
