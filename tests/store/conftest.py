"""Databases for the tests: a file of SQLite, and a schema of its own in a database of its own on PostgreSQL."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, exc, make_url, text

from handoff.store import Store, open_store

# Where it is given, PostgreSQL must answer; else the tests on it are skipped where it does not.
GIVEN = os.environ.get("HANDOFF_TEST_POSTGRES")
GUESSED = ("postgresql+psycopg://postgres@127.0.0.1/postgres", "postgresql+psycopg://root@127.0.0.1/postgres")
_numbers = itertools.count()

Open = Callable[..., Store]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database made for this session, dropped at its end."""
    server = _server()
    name = f"handoff_test_{uuid.uuid4().hex[:12]}"
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def _server() -> Engine:
    for url in [GIVEN] if GIVEN else GUESSED:
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            connect_args={"connect_timeout": 3},
        )
        try:
            engine.connect().close()
        except exc.OperationalError as error:
            if GIVEN:
                pytest.fail(f"HANDOFF_TEST_POSTGRES does not answer: {error.orig}")
            continue
        return engine
    pytest.skip("no PostgreSQL at 127.0.0.1:5432 that lets in postgres or root; set HANDOFF_TEST_POSTGRES to its URL")


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """An empty schema of its own."""
    schema = f"t{next(_numbers)}"
    engine = create_engine(postgresql)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{postgresql}?options=-csearch_path%3D{schema}"
    engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that is not there yet."""
    return f"sqlite:///{tmp_path / 'handoff.sqlite'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database: every test with this runs on both."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def stores() -> Iterator[Open]:
    """Opens stores, and closes them at the end."""
    opened: list[Store] = []

    def open_one(url: str, **options: object) -> Store:
        opened.append(open_store(url, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(url: str, stores: Open) -> Store:
    """An empty store."""
    return stores(url)
