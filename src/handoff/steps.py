"""Steps that a person or a scheduler runs again and again: one whose inputs are unchanged is not done twice.

After a step its stamp, a small JSON file, holds digests of what it read, of its arguments, of this package's own
files, and of what it wrote. While all of them still hold, running it again returns what it said the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from handoff.errors import BadInput
from handoff.files import digest, write_atomically

PACKAGE = Path(__file__).parent
CODE = (".py", ".yaml")


class Done(msgspec.Struct, frozen=True):
    """What a step did: in a sentence, and the files or folders that it wrote."""

    says: str
    wrote: tuple[str, ...]


class Result(msgspec.Struct, frozen=True):
    """What a step did, now or (`skipped`) when it was last run."""

    done: Done
    skipped: bool


class _Stamp(msgspec.Struct, frozen=True):
    inputs: str
    outputs: str
    done: Done


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Step:
    """One step: where its stamp is, the files and folders that it reads, and its other arguments.

    `holds` is asked too before a step is skipped, for results that are not files of their own.
    """

    stamp: Path
    reads: tuple[Path, ...]
    arguments: Mapping[str, object] = field(default_factory=dict)
    holds: Callable[[], bool] = _always

    def run(self, work: Callable[[], Done], *, force: bool = False) -> Result:
        """Do the work, unless it was done and everything still holds; `force` does it anyway.

        Raises `BadInput` when something that is to be read is not there, and whatever `work` raises.
        """
        inputs = self._inputs()
        before = None if force else self._done_before(inputs)
        if before is not None:
            return Result(before, skipped=True)
        # A run that breaks off must not leave the stamp of an older one beside its output.
        self.stamp.unlink(missing_ok=True)
        done = work()
        stamp = _Stamp(inputs, content_digest(map(Path, done.wrote)), done)
        write_atomically(self.stamp, msgspec.json.encode(stamp) + b"\n")
        return Result(done, skipped=False)

    def _inputs(self) -> str:
        given = {name: str(value) for name, value in sorted(self.arguments.items())}
        parts = (content_digest(self.reads), code_digest(), msgspec.json.encode(given).decode())
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _done_before(self, inputs: str) -> Done | None:
        try:
            stamp = msgspec.json.decode(self.stamp.read_bytes(), type=_Stamp)
            outputs = content_digest(map(Path, stamp.done.wrote))
        except (FileNotFoundError, msgspec.DecodeError, BadInput):
            return None
        return stamp.done if (stamp.inputs, stamp.outputs) == (inputs, outputs) and self.holds() else None


def content_digest(paths: Iterable[Path]) -> str:
    """SHA-256 of files and of all files in folders, with their names within them; hidden files are left out.

    Raises `BadInput` for a path that is not there.
    """
    total = hashlib.sha256()
    for number, path in enumerate(paths):
        if not path.exists():
            raise BadInput(f"{path}: no such file or folder; run the step that makes it first")
        for name, file in _files(path):
            total.update(f"{number} {name} {digest(file)}\n".encode())
    return total.hexdigest()


def code_digest() -> str:
    """SHA-256 of this package's code, rules and word lists: other code may give another result."""
    total = hashlib.sha256()
    for name, file in _files(PACKAGE):
        if file.suffix in CODE:
            total.update(f"{name} {digest(file)}\n".encode())
    return total.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """The file itself, nameless, or those in the folder, in the order of their names."""
    if path.is_file():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        within = file.relative_to(path)
        if file.is_file() and not any(part.startswith(".") for part in within.parts):
            yield within.as_posix(), file
