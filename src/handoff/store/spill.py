"""Escalations on this machine's disk while the store is away, so that a worker killed meanwhile takes none with it.

One file a process, in one folder: records one after the other, each with
its length before it. They go into the store by themselves once it is back, or at the next start; a record that is
there already changes nothing. The file goes when the last of its records is stored.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import msgspec

from handoff.store.decisions import DecisionRecord

SUFFIX, DAMAGED = ".spill", ".damaged"
# MessagePack keeps NaN, which stands for a missing feature; JSON knows none.
_ENCODER, _DECODER = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(DecisionRecord)
_LENGTH_BYTES = 4
# About a hundred thousand escalations; an outage must not fill the disk.
MOST_BYTES = 256 * 2**20

log = logging.getLogger("bentoml.handoff")


class Spill:
    """The file of this process. It is locked as long as the process lives: one that can be locked was left behind."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet."""
        self.folder = folder
        self._lock = threading.Lock()
        # Where each record is in the file, and how long.
        self._kept: dict[str, tuple[int, int]] = {}
        self._file: int | None = None
        self._path = folder

    @property
    def kept(self) -> int:
        """How many records are in the file."""
        return len(self._kept)

    def holds(self, record: DecisionRecord) -> bool:
        """Whether the record is in the file."""
        return record.id in self._kept

    def keep(self, records: Sequence[DecisionRecord]) -> None:
        """Write those that are not in the file yet, on disk when this returns. Raises OSError."""
        with self._lock:
            new = [record for record in records if record.id not in self._kept]
            if not new and not self._is_deleted:
                return
            file, framed = self._opened(), [_framed(record) for record in new]
            at = os.lseek(file, 0, os.SEEK_END)
            _write(file, b"".join(framed))
            os.fsync(file)
            for record, frame in zip(new, framed, strict=True):
                self._kept[record.id] = at + _LENGTH_BYTES, len(frame) - _LENGTH_BYTES
                at += len(frame)

    def forget(self, records: Sequence[DecisionRecord]) -> None:
        """These are stored by now. The file goes with the last of them."""
        with self._lock:
            if not self._kept:
                return
            for record in records:
                self._kept.pop(record.id, None)
            if not self._kept and self._file is not None:
                self._path.unlink(missing_ok=True)
                os.close(self._file)
                self._file = None
                with suppress(OSError):  # other workers' files are in it
                    self.folder.rmdir()

    def read_back(self, most: int, but: Set[str]) -> tuple[list[DecisionRecord], list[str]]:
        """So many of the records that are not stored yet, without those of `but`; and the ids of those that the disk
        has lost. Whoever keeps another one does not wait for it. Raises OSError."""
        with self._lock:
            if self._file is None:
                return [], []
            wanted = list(islice(((id_, place) for id_, place in self._kept.items() if id_ not in but), most))
            file = os.dup(self._file)
        found, lost = [], []
        try:
            for id_, (at, length) in wanted:
                with suppress(msgspec.DecodeError):
                    if (record := _DECODER.decode(os.pread(file, length, at))).id == id_:
                        found.append(record)
                        continue
                lost.append(id_)
        finally:
            os.close(file)
        return found, lost

    def left_over(self) -> list[DecisionRecord]:
        """What processes that are gone have left; from now on this one's. A file that cannot be read to its end is set
        aside under another name. Raises OSError."""
        found: list[DecisionRecord] = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError, BlockingIOError), _held(path) as content:
                records, is_damaged = _records(content)
                self.keep(records)
                if is_damaged:
                    aside = path.rename(path.with_suffix(DAMAGED))
                    log.error("%s holds what is no decision; it is kept as %s, %d were read", path, aside, len(records))
                else:
                    path.unlink()
                found += records
        return found

    @property
    def _is_deleted(self) -> bool:
        """Whether somebody has deleted the file beneath us."""
        return self._file is not None and not os.fstat(self._file).st_nlink

    def _opened(self) -> int:
        if self._file is None:
            self._path, self._file = self._made()
        elif self._is_deleted:  # what is in it must be found by the next start
            path, file = self._made()
            try:
                _write(file, os.pread(self._file, MOST_BYTES, 0))
            except OSError:
                path.unlink(missing_ok=True)
                os.close(file)
                raise
            os.close(self._file)
            self._path, self._file = path, file
        return self._file

    def _made(self) -> tuple[Path, int]:
        """A new file, locked."""
        while True:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self.folder / f"{uuid.uuid4().hex}{SUFFIX}"
            try:
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            except FileNotFoundError:  # another worker removed the empty folder just then
                continue
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:  # else somebody took it for left behind, before it was locked
                return path, file
            os.close(file)


class Left(msgspec.Struct, frozen=True):
    """Records on this machine's disk: of processes that are gone, and of living ones, which nobody else may touch.
    And how many files were set aside since they could not be read."""

    free: int = 0
    in_use: int = 0
    damaged: int = 0


def forget_spilled(folder: Path, is_meant: Callable[[DecisionRecord], bool], *, really: bool) -> Left:
    """How many records of all files of the folder are meant; `really` removes them where no living process writes.

    Raises OSError.
    """
    free = in_use = 0
    for path in folder.glob(f"*{SUFFIX}"):
        try:
            with _held(path) as content:
                records = _sound(path, content)
                rest = [record for record in records if not is_meant(record)]
                free += len(records) - len(rest)
                if really and len(rest) < len(records):
                    _replace(path, rest)
        except BlockingIOError:
            in_use += sum(map(is_meant, _sound(path, path.read_bytes())))
        except FileNotFoundError:  # stored by now
            continue
    return Left(free, in_use, len(list(folder.glob(f"*{DAMAGED}"))))


def _replace(path: Path, rest: Sequence[DecisionRecord]) -> None:
    """A new file for the rest, then nothing in the old one: whoever waits for its lock must find nothing in it."""
    if rest:
        file = os.open(path.with_name(f"{uuid.uuid4().hex}{SUFFIX}"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write(file, b"".join(map(_framed, rest)))
            os.fsync(file)
        finally:
            os.close(file)
    os.truncate(path, 0)
    path.unlink()


@contextmanager
def _held(path: Path) -> Iterator[bytes]:
    """The content of a file that no living process writes. Raises BlockingIOError where one does."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file.read()


def _framed(record: DecisionRecord) -> bytes:
    content = _ENCODER.encode(record)
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


def _write(file: int, content: bytes) -> None:
    """All of it, or nothing: half a record would hide those that follow."""
    end = os.lseek(file, 0, os.SEEK_END)
    if end + len(content) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"{MOST_BYTES:,} bytes of decisions wait already")
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        os.ftruncate(file, end)
        raise


def _records(content: bytes) -> tuple[list[DecisionRecord], bool]:
    """The records, but for the last where its process was killed while it wrote; and whether the rest is none."""
    records, at = [], 0
    while at + _LENGTH_BYTES <= len(content):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(content[at:start], "big")
        if at <= len(content):
            try:
                records.append(_DECODER.decode(content[start:at]))
            except msgspec.DecodeError:  # after a power cut, or of another version of this package
                return records, True
    return records, False


def _sound(path: Path, content: bytes) -> list[DecisionRecord]:
    """The records. Raises OSError where there are others than records."""
    records, is_damaged = _records(content)
    if is_damaged:
        problem = "holds what is no decision; the service sets it aside when it starts"
        raise OSError(errno.EILSEQ, problem, str(path))
    return records
