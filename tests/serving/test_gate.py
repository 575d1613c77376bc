"""Who is let in, and who is not: every route has a role, and every role its key."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from handoff.access import add_key, revoke_key
from handoff.settings import Settings
from serving.gate import Gate
from serving.http import KEY, Refused
from serving.roles import ROLE_OF, UNKNOWN
from tests.serving.conversations import CALM
from tests.serving.running import Running, clean_environment, running, until
from tests.serving.test_life import serve

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
# What BentoML would answer beside, and nobody needs: it is no route here.
CLOSED = frozenset({"/schema.json"})
POSTED = {path for path, role in ROLE_OF.items() if role in ("predict", "feedback")}


def asked(path: str, *, key: str | None = None, server: str = "10.0.0.5", method: str = "GET", **headers: str) -> int:
    """What `Gate` in use says: 200 where it lets pass."""
    given = {name.encode(): value.encode() for name, value in headers.items()}
    if key is not None:
        given[b"authorization"] = f"Bearer {key}".encode()
    try:
        GATE.check({"type": "http", "path": path, "method": method, "server": (server, 80)}, given)
    except Refused as refused:
        return refused.status
    return 200


GATE: Gate


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """A key for each role, and a gate that knows them."""
    global GATE
    path = tmp_path / "keys.json"
    made = {role: add_key(path, role, [role], NOW)[1] for role in ("predict", "feedback", "read", "administer")}
    GATE = Gate(Settings(keys=path))
    return made


@pytest.mark.parametrize(("role", "status"), [("predict", None), ("read", 403)])
def test_the_log_can_name_the_key_that_was_shown(keys: dict[str, str], role: str, status: int | None) -> None:
    scope = {"type": "http", "path": "/predict", "method": "POST", "server": ("10.0.0.5", 80)}
    try:
        GATE.check(scope, {b"authorization": f"Bearer {keys[role]}".encode()})
    except Refused as refused:
        assert refused.status == status
    assert scope[KEY] == role


@pytest.mark.parametrize("path", list(ROLE_OF))
@pytest.mark.parametrize("role", ["predict", "feedback", "read", "administer"])
def test_a_route_takes_its_role_and_no_other(keys: dict[str, str], path: str, role: str) -> None:
    wanted = ROLE_OF[path]
    assert asked(path) == (200 if wanted is None else 401)
    assert asked(path, key=keys[role]) == (200 if wanted in (None, role) or role == "administer" else 403)


@pytest.mark.parametrize("role", ["predict", "feedback", "read", "administer"])
def test_what_is_no_route_takes_any_key_and_no_stranger(keys: dict[str, str], role: str) -> None:
    assert (asked(UNKNOWN), asked(UNKNOWN, key="handoff_0123456789ab_" + "x" * 43)) == (401, 401)
    assert asked(UNKNOWN, key=keys[role]) == 200


def test_from_this_machine_a_key_is_asked_for_as_well(keys: dict[str, str]) -> None:
    assert asked("/predict", server="127.0.0.1", host="127.0.0.1") == 401


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_in_any_case(keys: dict[str, str], scheme: str) -> None:
    assert asked("/predict", authorization=f"{scheme} {keys['predict']}") == 200


def test_a_browser_shows_pages_with_the_key_as_password_and_can_do_no_more(keys: dict[str, str]) -> None:
    def basic(key: str) -> str:
        return "Basic " + base64.b64encode(f"ana:{key}".encode()).decode()

    assert asked("/docs", authorization=basic(keys["read"])) == 200
    assert asked("/docs", authorization=basic("wrong")) == 401
    assert asked("/docs", authorization="Basic ###") == 401
    assert asked("/docs", authorization=basic(keys["predict"])) == 403
    assert asked("/predict", authorization=basic(keys["administer"]), method="POST") == 401


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [("https://evil.example", "a.example", 403), ("null", "a.example", 403), ("https://a.example", "a.example", 200)],
    ids=["another site", "a page without an origin", "the service's own page"],
)
def test_pages_of_other_sites_are_refused(keys: dict[str, str], origin: str, host: str, expected: int) -> None:
    assert asked("/predict", key=keys["predict"], origin=origin, host=host) == expected


@pytest.mark.parametrize(
    ("server", "host", "without", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:3000", False, 200),
        ("::1", "[::1]:3000", False, 200),
        ("127.0.0.1", "localhost", False, 200),
        ("127.0.0.1", "evil.example", False, 401),
        ("127.0.0.1", "localhost.evil.example", False, 401),
        ("10.0.0.5", "10.0.0.5", False, 401),
        ("10.0.0.5", "127.0.0.1", False, 401),
        ("10.0.0.5", "handoff.example", True, 200),
    ],
    ids=[
        "loopback", "loopback by IPv6", "loopback by name", "a foreign name that leads here", "a name that begins well",
        "a network", "a network under a false name", "a network, as an administrator wanted",
    ],
)  # fmt: skip
def test_without_keys_loopback_alone_is_open(
    tmp_path: Path, server: str, host: str, without: bool, expected: int
) -> None:
    global GATE
    for path in (tmp_path / "none.json", None):
        GATE = Gate(Settings(keys=path, without_keys=without))
        assert asked("/predict", server=server, host=host) == expected


def test_a_worker_that_starts_while_the_keys_are_missing_stays_closed(tmp_path: Path) -> None:
    global GATE
    path, times = tmp_path / "keys.json", iter(range(0, 100, 2))
    GATE = Gate(Settings(keys=path, with_keys=True), clock=lambda: next(times))
    assert asked("/predict", server="127.0.0.1", host="localhost") == 401
    assert GATE.trouble is not None and str(path) in GATE.trouble.problem
    _, secret = add_key(path, "chat", ["predict"], NOW)
    assert asked("/predict", key=secret) == 200
    assert GATE.trouble is None


def test_a_change_is_seen_after_a_second_and_damage_lets_nobody_in(tmp_path: Path) -> None:
    global GATE
    path, times = tmp_path / "keys.json", iter(range(0, 100, 2))
    GATE = Gate(Settings(keys=path, without_keys=True), clock=lambda: next(times))
    assert asked("/predict") == 200
    _, secret = add_key(path, "chat", ["predict"], NOW)
    assert (asked("/predict"), asked("/predict", key=secret)) == (401, 200)
    path.write_text("{}{", "utf-8")
    assert (asked("/predict"), asked("/predict", key=secret)) == (401, 200)
    assert GATE.trouble is not None and "not a file of keys" in GATE.trouble.problem
    path.unlink()
    assert (asked("/predict"), asked("/predict", key=secret)) == (401, 200)
    _, second = add_key(path, "desk", ["predict"], NOW)
    assert (asked("/predict", key=secret), asked("/predict", key=second)) == (401, 200)
    assert GATE.trouble is None
    revoke_key(path, "desk", NOW)
    assert asked("/predict", key=second) == 401


def test_every_route_there_is_has_a_role(tmp_path: Path) -> None:
    code = (
        "from serving.service import HandoffService\n"
        "def walk(routes, before=''):\n"
        "    for route in routes:\n"
        "        inner = getattr(route, 'app', None)\n"
        "        if hasattr(inner, 'routes'): yield from walk(inner.routes, before + route.path.rstrip('/'))\n"
        "        elif hasattr(inner, 'directory'): continue\n"  # files: the ones in use are in the table by name
        "        else: yield before + route.path\n"
        "app = HandoffService.to_asgi(is_main=True)\n"
        "while not hasattr(app, 'routes'): app = app._app\n"  # what lies around BentoML's application adds no route
        "print('\\n'.join(walk(app.routes)))"
    )
    environment = clean_environment() | {"BENTOML_HOME": str(tmp_path), "HANDOFF_STORE": "none"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    routes = set(done.stdout.split())
    assert len(routes) > 12
    assert routes - CLOSED - set(ROLE_OF) == set()
    assert {path for path in ROLE_OF if not path.startswith("/static_content/")} <= routes


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A service with keys, on every network, and a key for each role."""
    folder = tmp_path_factory.mktemp("guarded")
    path = folder / "handoff-keys.json"
    made = {role: add_key(path, role, [role], NOW)[1] for role in ("predict", "feedback", "read", "administer")}
    with running(folder / "models", "--host", "0.0.0.0", cwd=folder) as it:
        yield it, made


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_it_serves_by_key(guarded: tuple[Running, dict[str, str]]) -> None:
    it, keys = guarded
    assert [it.get(path).status_code for path in ("/livez", "/readyz", "/healthz")] == [200, 200, 200]
    refused = it.post("/predict", CALM)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="handoff"'
    assert refused.json() == {
        "error": "This takes a key",
        "detail": [{"path": "authorization", "problem": "no usable key", "expected": "Bearer and a key that may predict"}],
    }  # fmt: skip
    assert it.post("/predict", CALM, bearer(keys["predict"])).status_code == 200
    assert it.post("/predict", CALM, bearer(keys["read"])).status_code == 403
    assert it.client.get("/docs", headers=bearer(keys["read"])).status_code == 200
    for path in ("/schema.json", "/rulez", "/predict/"):
        assert it.get(path).status_code == 401
        assert {it.client.get(path, headers=bearer(key)).status_code for key in keys.values()} == {404}
    assert until(lambda: "Keys are asked for: 4 in" in it.output.read_text("utf-8"))
    assert until(lambda: "rules only (no model)" in it.output.read_text("utf-8"))


def test_a_new_key_works_and_a_revoked_one_does_not_without_a_restart(guarded: tuple[Running, dict[str, str]]) -> None:
    it, _ = guarded
    path = it.output.parent / "handoff-keys.json"
    _, secret = add_key(path, "late", ["predict"], NOW)
    assert until(lambda: it.post("/predict", CALM, bearer(secret)).status_code == 200, 5)
    revoke_key(path, "late", NOW)
    assert until(lambda: it.post("/predict", CALM, bearer(secret)).status_code == 401, 5)


def test_no_key_is_told_to_anybody(guarded: tuple[Running, dict[str, str]]) -> None:
    it, keys = guarded
    typo = keys["predict"] + "x"
    told = [it.post("/predict", CALM, bearer(typo)), it.post("/predict", CALM, bearer(keys["read"]))]
    told += [it.post("/predict", b"{", bearer(keys["predict"])), it.get(f"/{keys['predict']}")]
    told += [it.client.get(path, headers=bearer(keys["read"])) for path in ("/metrics", "/status")]
    texts = [reply.text + str(reply.headers) for reply in told] + [it.output.read_text("utf-8", "replace")]
    texts += [path.read_bytes().decode("latin-1") for path in it.output.parent.rglob("*") if path.is_file()]
    for process in it.family():
        texts += [" ".join(process.cmdline()), str(process.environ())]
    secrets = [key.split("_", 2)[2] for key in keys.values()]
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_a_network_takes_keys_or_a_word_that_it_does_not(tmp_path: Path) -> None:
    done = serve("--host", "0.0.0.0", cwd=tmp_path)
    assert done.returncode == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert "there are no keys" in said and "--without-keys" in said
    with running(tmp_path / "models", "--host", "0.0.0.0", "--without-keys", cwd=tmp_path) as it:
        assert it.post("/predict", CALM).status_code == 200
        assert "WITHOUT KEYS" in it.output.read_text("utf-8")


def test_keys_that_cannot_be_read_are_no_start(tmp_path: Path) -> None:
    done = serve("--keys", "none.json", cwd=tmp_path)
    assert (done.returncode, "no such file of keys" in done.stderr) == (1, True)
    done = serve(cwd=tmp_path, HANDOFF_KEYS=str(tmp_path / "none.json"))
    assert (done.returncode, "no such file of keys" in done.stderr) == (1, True)


def test_without_keys_it_says_so(rules_only: Running) -> None:
    assert until(lambda: "No keys: programs on this machine are answered" in rules_only.output.read_text("utf-8"))
