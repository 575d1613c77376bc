"""`handoff serve`: the prediction service on this machine."""

from __future__ import annotations

import fcntl
import gc
import importlib.util
import ipaddress
import json
import os
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from handoff.access import OWN_ID, digest, new_secret, read_keys
from handoff.commands._app import app
from handoff.commands._console import complain, console
from handoff.errors import BadInput
from handoff.policy import load_policy
from handoff.policy.settings import FILES
from handoff.rules import load_rules
from handoff.settings import Settings, misspelt, read_settings, store_backend

SERVICE = "serving.service:HandoffService"

# How long a request in flight may hold up the end.
FINISH_SECONDS = 10
START_SECONDS = 60.0
LOOKS_FOR_DEAD_WORKERS_SECONDS = 1.0

# The models' tables are read here and there: in large pages they are found sooner (docs/performance.md).
LARGE_PAGES = "glibc.malloc.hugetlb=1"


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 3000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer, each with models of its own.")] = 1,
    models: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder with the trained models; ./models by default.")
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(dir_okay=False, exists=True, help="Rules instead of those that ship with handoff.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="Database URL of the store, none for no store; HANDOFF_STORE, or ./handoff.sqlite."),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            help="File of the keys that callers need, none for no keys; HANDOFF_KEYS, or ./handoff-keys.json."
        ),
    ] = None,
    without_keys: Annotated[
        bool,
        typer.Option("--without-keys", help="Answer everybody, also on a network; something else must protect it."),
    ] = False,
) -> None:
    """Answer predictions over HTTP until stopped with Ctrl-C.

    Without a trained model the rules answer alone. A version promoted later is taken up while it runs. Decisions,
    conversations and outcomes are kept in the store; while that does not work, answers are given all the same.
    Keys are asked for as soon as there are any (`handoff keys add`); on a network it does not start without.

    Example: `handoff serve --port 3000 --models models`
    """
    address = _address(host)
    are_keys_set = bool(os.environ.get("HANDOFF_KEYS", "").strip())
    _tell_workers(models, rules, store)
    own_key = _tell_about_keys(keys, without_keys)
    settings = read_settings()
    for name, meant in misspelt():
        console.print(f"UNKNOWN: {name} is no setting and changes nothing; {meant} is", markup=False, style="red")
    _check_store(settings.store)
    _check_models(settings.models)
    _check_keys(settings, host, address, is_given=keys is not None or are_keys_set)
    # A worker would only find out, and be started again.
    load_policy(settings.policy, load_rules(settings.rules, settings.confidence))
    _check_free(host, address, port)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
    console.print(f"Starting on {url}", markup=False)
    threading.Thread(target=_announce, args=(url, own_key), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="handoff-") as scratch:
        _keep_as_they_are(settings, Path(scratch))
        _run(address, port, workers, scratch, settings)


def _tell_workers(models: Path | None, rules: Path | None, store: str | None) -> None:
    """Workers read their settings from the environment. They run elsewhere, so paths become absolute."""
    if models is not None:
        os.environ["HANDOFF_MODELS"] = str(models)
    if rules is not None:
        os.environ["HANDOFF_RULES"] = str(rules)
    if store is not None:
        os.environ["HANDOFF_STORE"] = store
    settings = read_settings()
    os.environ["HANDOFF_MODELS"] = str(settings.models.absolute())
    os.environ["HANDOFF_SPILL"] = str(settings.spill.absolute())
    for name, path in (
        ("HANDOFF_RULES", settings.rules),
        ("HANDOFF_POLICY", settings.policy),
        ("HANDOFF_CONFIDENCE", settings.confidence),
    ):
        if path is not None:
            os.environ[name] = str(path)
    os.environ["HANDOFF_STORE"] = "none" if settings.store is None else _absolute(settings.store)
    os.environ["HANDOFF_SUPERVISOR"] = str(os.getpid())


def _keep_as_they_are(settings: Settings, scratch: Path) -> None:
    """Copies of rules, policy and calibration for the workers: one that starts later must not read another text than
    those that are there, or half of one that is being edited."""
    with suppress(OSError):  # what cleans folders like /tmp by age passes over one that is locked
        fcntl.flock(os.open(scratch, os.O_RDONLY), fcntl.LOCK_SH)
    for name, path in (("RULES", settings.rules), ("POLICY", settings.policy), ("CONFIDENCE", settings.confidence)):
        if path is None:
            continue
        copy = scratch / name.lower()
        if path.is_dir():
            copy.mkdir()
            for file in filter(Path.is_file, (path / each for each in FILES)):
                shutil.copyfile(file, copy / file.name)
        else:
            shutil.copyfile(path, copy)
        os.environ[f"HANDOFF_{name}"] = str(copy)


def _tell_about_keys(keys: str | None, without_keys: bool) -> str:
    """Settings on keys for the workers; returns the key by which this process may look at them, of which they know the
    hash alone."""
    if keys is not None:
        os.environ["HANDOFF_KEYS"] = keys
    if without_keys:
        os.environ["HANDOFF_WITHOUT_KEYS"] = "true"
    path = read_settings().keys
    os.environ["HANDOFF_KEYS"] = "none" if path is None else str(path.absolute())
    if path is not None and path.exists():
        os.environ["HANDOFF_WITH_KEYS"] = "true"
    own_key = new_secret(OWN_ID)
    os.environ["HANDOFF_OWN_DIGEST"] = digest(OWN_ID, own_key)
    return own_key


def _check_keys(settings: Settings, host: str, address: str, *, is_given: bool) -> None:
    """Say who will be answered; misuse where that would be everybody on a network without anybody having said so."""
    path = settings.keys
    if path is not None and (is_given or path.exists()):
        count = sum(key.revoked_at is None for key in read_keys(path))
        console.print(f"Keys are asked for: {count} in {path}", markup=False)
    elif settings.without_keys:
        console.print("WITHOUT KEYS: whoever reaches this service is answered", markup=False, style="red")
    elif ipaddress.ip_address(address).is_loopback:
        console.print("No keys: programs on this machine are answered, nobody else", markup=False)
    else:
        problem = (
            f"{host} can be reached by others and there are no keys; make one with 'handoff keys add NAME --role "
            "predict', or say --without-keys where something else keeps strangers out"
        )
        raise typer.BadParameter(problem, param_hint="--host")


def _check_store(store: str | None) -> None:
    """Misuse where there can be no store: a database that does not answer may come back, this cannot."""
    try:
        if store is not None:
            store_backend(store)
    except BadInput as error:
        raise typer.BadParameter(str(error), param_hint="--store or HANDOFF_STORE") from None


def _check_models(models: Path) -> None:
    """A folder that is not there may be meant, or come later; a mistyped one must not go unnoticed."""
    if not models.is_dir():
        told = f"NO MODELS: there is no folder {models}; until models are promoted there, the rules answer alone"
        console.print(told, markup=False, style="red")


def _absolute(store: str) -> str:
    """The store's URL; a file of SQLite is in the user's folder unless it says otherwise."""
    scheme, separator, path = store.partition(":///")
    if not (scheme.startswith("sqlite") and separator and path) or path.startswith((":memory:", "file:")):
        return store
    return f"{scheme}:///{Path(path).expanduser().absolute()}"


def _run(address: str, port: int, workers: int, scratch: str, settings: Settings) -> None:
    """Hand the service to BentoML; returns once it and its workers have stopped."""
    # All of these are read when BentoML is imported, or by the workers.
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    # BentoML keeps its metrics in a folder that the next service to start on the machine would empty.
    os.environ.setdefault("BENTOML_HOME", scratch)
    os.environ.setdefault("GLIBC_TUNABLES", LARGE_PAGES)
    os.environ["BENTOML_CONFIG_OVERRIDES"] = json.dumps({"services": {"HandoffService": {"workers": workers}}})

    # Nothing of what is imported becomes garbage, and looking for it takes a tenth of the time.
    gc.disable()
    import bentoml
    from _bentoml_impl.server import serve_http  # type: ignore[import-untyped]  # what `bentoml serve` calls
    from bentoml._internal.utils import circus

    # BentoML would look every ten seconds.
    circus.create_standalone_arbiter = partial(
        circus.create_standalone_arbiter, check_delay=LOOKS_FOR_DEAD_WORKERS_SECONDS
    )
    folder = _folder_of_serving()
    service: Any = bentoml.load(SERVICE, working_dir=folder)
    service.inject_config()
    gc.enable()
    serve_http(
        SERVICE,
        working_dir=folder,
        host=address,
        port=port,
        # Chat backends keep connections open; BentoML's 5 seconds would close them between two messages.
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


def _folder_of_serving() -> str:
    """The folder that holds the package `serving`, so that nothing of that name in the user's folder is run."""
    found = importlib.util.find_spec("serving")
    if found is None or not found.submodule_search_locations:
        raise BadInput("the package 'serving' is not installed; install handoff again, as a whole")
    return str(Path(next(iter(found.submodule_search_locations))).parent)


def _address(host: str) -> str:
    """The IP address that `host` stands for, which is all that BentoML takes. Misuse when there is none."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        problem = f"{host} is no address of this machine; give one such as 127.0.0.1, or 0.0.0.0 for all"
        raise typer.BadParameter(problem, param_hint="--host") from None


def _check_free(host: str, address: str, port: int) -> None:
    """Exit with status 1 when nobody can listen there. BentoML would say so in a traceback."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address, port))
        except OSError as error:
            complain(f"cannot listen on {host}, port {port} ({error.strerror}); choose another with --port or --host")
            raise typer.Exit(1) from None


def _announce(url: str, own_key: str) -> None:
    """Once the service answers, print how it is and where to look."""
    reachable = url.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
    status = _first_status(reachable + "/status", own_key)
    if status is None:
        complain(f"{reachable} does not answer after {START_SECONDS:.0f} seconds; see the messages above")
        return
    versions = status["versions"]
    made_by = ", ".join(versions[part] for part in ("model", "routing") if versions[part]) or "no model"
    console.print(f"Listening on {url}: {status['mode'].replace('_', ' ')} ({made_by})", markup=False)
    for trouble in status["problems"]:
        console.print(f"  {trouble['part']}: {trouble['problem']}", markup=False)
    console.print(f"Try it at {reachable}/docs, stop it with Ctrl-C", markup=False)


def _first_status(url: str, own_key: str) -> dict[str, Any] | None:
    # A proxy in the environment is not for a service on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {own_key}"})
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError, urllib.error.URLError, ValueError), opener.open(request, timeout=5) as answer:
            status: dict[str, Any] = json.loads(answer.read())
            return status
        time.sleep(0.1)
    return None
