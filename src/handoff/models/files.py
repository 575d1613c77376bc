"""Files of a model: digests, checked reads, and folders that appear all at once or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from handoff.errors import BadModel

T = TypeVar("T")


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file under a temporary name, then rename it: a reader sees the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)  # mkstemp gives 0600; the service may run as another user
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Only one process at a time holds `file`; the others wait. The kernel keeps the lock: who dies lets go of it."""
    import fcntl

    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def new_folder(parent: Path) -> Iterator[Path]:
    """A temporary folder inside `parent`, deleted at the end unless it was renamed away."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
