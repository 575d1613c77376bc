"""Which version serves: `models/<name>/champion`, a small file that is replaced in one step.

It is the only thing that the service watches. It names the version and the digest of its manifest, so that a
folder changed afterwards is not served, and the versions that were champion before, newest first.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from handoff.errors import BadModel
from handoff.files import digest, write_atomically
from handoff.models.artifact import load
from handoff.models.exam import Model
from handoff.models.files import read_json
from handoff.models.manifest import MANIFEST_FILE, Name

CHAMPION_FILE = "champion"
REMEMBERED = 20


class Champion(msgspec.Struct, frozen=True, kw_only=True):
    """The version that serves, and those before it, newest first."""

    version: str
    manifest_sha256: str
    previous: tuple[str, ...] = ()


def versions(name: Name, root: Path) -> tuple[str, ...]:
    """The versions in `root/name`, oldest first; empty when nothing was trained."""
    folder = root / name
    if not folder.is_dir():
        return ()
    found = [p.name for p in folder.iterdir() if (p / MANIFEST_FILE).is_file() and not p.name.startswith(".")]
    return tuple(sorted(found, key=lambda version: (not version.isdigit(), version.zfill(9))))


def champion(name: Name, root: Path) -> Champion | None:
    """The champion of `name`; None while there is none. Raises `BadModel` when the file is broken."""
    path = root / name / CHAMPION_FILE
    return read_json(path, Champion) if path.is_file() else None


def load_champion(name: Name, root: Path) -> Model:
    """The champion, checked. Raises `BadModel` when there is none or it does not hold."""
    serving = champion(name, root)
    if serving is None:
        raise BadModel(
            f"{root / name / CHAMPION_FILE}: no champion; run 'handoff train {name}' or 'handoff promote {name}'"
        )
    folder = _folder(name, serving.version, root)
    if digest(folder / MANIFEST_FILE) != serving.manifest_sha256:
        raise BadModel(f"{folder / MANIFEST_FILE}: changed since it was promoted; promote it again if that was meant")
    return load(folder, encoders=None)


def promote(name: Name, version: str, root: Path) -> Champion:
    """Make `version` ("latest" for the newest) the champion, after it has passed its exam.

    Raises `BadModel` when it is not there or does not pass; the champion then stays as it was.
    """
    chosen = _newest(name, root) if version == "latest" else version
    before = champion(name, root)
    earlier = () if before is None else (before.version, *before.previous)
    return _crown(name, chosen, root, earlier)


def rollback(name: Name, root: Path) -> Champion:
    """Make the version that was champion before it champion again. Raises `BadModel` when there was none."""
    before = champion(name, root)
    if before is None:
        raise BadModel(
            f"{root / name / CHAMPION_FILE}: missing, so there is no earlier champion either; promote a version"
        )
    if not before.previous:
        raise BadModel(f"{root / name / CHAMPION_FILE}: no earlier champion to go back to")
    return _crown(name, before.previous[0], root, before.previous[1:])


def _crown(name: Name, version: str, root: Path, earlier: tuple[str, ...]) -> Champion:
    folder = _folder(name, version, root)
    load(folder)
    previous = tuple(v for i, v in enumerate(earlier) if v != version and v not in earlier[:i])[:REMEMBERED]
    crowned = Champion(version=version, manifest_sha256=digest(folder / MANIFEST_FILE), previous=previous)
    write_atomically(root / name / CHAMPION_FILE, msgspec.json.encode(crowned) + b"\n")
    return crowned


def _folder(name: Name, version: str, root: Path) -> Path:
    known = versions(name, root)
    if version not in known:
        has = f"has {', '.join(known)}" if known else "holds none yet"
        raise BadModel(f"{root / name}: no version {version!r}; it {has}")
    return root / name / version


def _newest(name: Name, root: Path) -> str:
    known = versions(name, root)
    if not known:
        raise BadModel(f"{root / name}: no version yet; run 'handoff train {name}'")
    return known[-1]
