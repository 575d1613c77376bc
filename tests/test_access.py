"""Keys: made, recognised, revoked; and a file of them that is never half written."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handoff.access import Key, add_key, digest, new_secret, read_keys, recognised, revoke_key
from handoff.errors import BadInput

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


def by_id(path: Path) -> dict[str, Key]:
    return {key.id: key for key in read_keys(path)}


def test_a_key_is_recognised_by_itself_and_by_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key, secret = add_key(path, "chat", ["predict"], NOW)
    _, other = add_key(path, "desk", ["read"], NOW)
    keys = by_id(path)
    assert recognised(secret, keys) == key
    swapped = secret[:21] + other[21:]  # the id of one with the secret of the other
    for wrong in (
        "",
        secret[:-1],
        secret + "A",
        secret.upper(),
        swapped,
        f" {secret}",
        secret.replace("_", "-"),
        "é\0",
    ):
        assert recognised(wrong, keys) is None, wrong


def test_the_file_holds_no_key_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, secret = add_key(path, "chat", ["predict"], NOW)
    assert secret.rpartition("_")[2] not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    add_key(path, "desk", ["read"], NOW)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["keys.json"]


def test_the_hash_is_salted_and_as_long_as_the_key_is_strong() -> None:
    secret = new_secret("a" * 12)
    assert len(digest("a" * 12, secret)) == 64
    assert digest("a" * 12, secret) != digest("b" * 12, secret)
    assert len({new_secret("a" * 12) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("roles", "may"),
    [
        (("predict",), {"predict"}),
        (("read", "feedback"), {"read", "feedback"}),
        (("administer",), {"predict", "feedback", "read", "administer"}),
    ],
    ids=["one role", "two roles", "who administers may do all"],
)
def test_a_key_may_do_what_its_roles_say(roles: tuple[str, ...], may: set[str]) -> None:
    key = Key(id="a", name="a", roles=roles, digest="", created_at=NOW)  # type: ignore[arg-type]
    assert {role for role in ("predict", "feedback", "read", "administer") if key.may(role)} == may  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_revoked_key_is_worthless_and_its_name_is_free(tmp_path: Path, by: str) -> None:
    path = tmp_path / "keys.json"
    key, secret = add_key(path, "chat", ["predict"], NOW)
    assert revoke_key(path, getattr(key, by), NOW).revoked_at == NOW
    assert recognised(secret, by_id(path)) is None
    again, new = add_key(path, "chat", ["predict"], NOW)
    assert recognised(new, by_id(path)) == again
    assert len(read_keys(path)) == 2


def test_what_cannot_be_done_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(BadInput, match="no such file of keys"):
        revoke_key(path, "chat", NOW)
    add_key(path, "chat", ["predict"], NOW)
    with pytest.raises(BadInput, match="there is a key 'chat' already"):
        add_key(path, "chat", ["read"], NOW)
    with pytest.raises(BadInput, match="no key 'desk'"):
        revoke_key(path, "desk", NOW)
    for name in ("", "a\nb", "a" * 101):
        with pytest.raises(BadInput, match="cannot name a key"):
            add_key(path, name, ["read"], NOW)
    path.write_text("{", "utf-8")
    with pytest.raises(BadInput, match="not a file of keys"):
        read_keys(path)


def _add_many(path: Path, start: int) -> None:
    for number in range(start, start + 5):
        add_key(path, f"key {number}", ["read"], NOW)


def test_keys_added_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(path, 5 * n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert {key.name for key in read_keys(path)} == {f"key {n}" for n in range(15)}
