"""Files and folders that appear all at once or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from handoff.files import digest, locked, new_folder, whole, write_atomically


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    write_atomically(path, b"old", 0o600)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert digest(path) == sha256(b"new").hexdigest()


@pytest.mark.parametrize(("mode", "meanwhile", "in_the_end"), [(None, 0o640, 0o640), (0o644, 0o600, 0o644)])
def test_nobody_reads_a_file_earlier_than_its_mode_says(
    tmp_path: Path, mode: int | None, meanwhile: int, in_the_end: int
) -> None:
    before = os.umask(0o027)
    try:
        with whole(tmp_path / "deep" / "x", mode) as partial:
            partial.write_bytes(b"new")
            assert stat.S_IMODE(partial.stat().st_mode) == meanwhile
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "deep" / "x").stat().st_mode) == in_the_end


def test_two_that_write_one_file_at_once_are_not_in_each_others_way(tmp_path: Path) -> None:
    with whole(tmp_path / "x") as first, whole(tmp_path / "x") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "champion"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=os.strerror(28)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_held_by_one_process_and_not_by_a_dead_one(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    code = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    attempt = [sys.executable, "-c", code, str(file)]
    with locked(file):
        assert b"BlockingIOError" in subprocess.run(attempt, stderr=subprocess.PIPE, check=False).stderr
    subprocess.run(attempt, check=True)
    with locked(file):  # whoever held it has ended
        pass


def test_a_new_folder_stays_only_where_it_was_renamed(tmp_path: Path) -> None:
    with new_folder(tmp_path / "models") as folder:
        (folder / "model.txt").write_text("trees", "utf-8")
        folder.rename(tmp_path / "models" / "1")
    with pytest.raises(ValueError, match="broken"), new_folder(tmp_path / "models") as folder:
        raise ValueError("broken")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["1"]
