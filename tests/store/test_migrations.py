"""The tables as the migrations make them, and opening a store, also many at once."""

from __future__ import annotations

import math
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect, text

from handoff.errors import BadInput, StoreUnavailable
from handoff.store import Store, migrate
from handoff.store.database import _use_wal
from handoff.store.tables import metadata
from tests.store.conftest import Open
from tests.store.talk import said
from tests.store.test_log import run_together


def differences(store: Store, wanted: MetaData) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        options = {"version_table": migrate.VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), wanted))

    return store.database.read(compare)


def test_migrations_make_the_tables_that_the_code_means(store: Store) -> None:
    assert differences(store, metadata) == []


def test_a_table_that_no_migration_makes_is_noticed(store: Store) -> None:
    wanted = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(wanted)
    Table("planted", wanted, Column("id", Integer, primary_key=True))
    wanted.tables["messages"].append_column(Column("planted", Integer))
    assert len(differences(store, wanted)) == 2


def test_the_newest_migration_is_the_one_that_is_asked_for() -> None:
    assert ScriptDirectory.from_config(migrate._config()).get_heads() == [migrate.HEAD]


class Crowded:
    """A connection to a file of SQLite that others open, too, so many times."""

    def __init__(self, times: float) -> None:
        self.left = times

    def execute(self, statement: str) -> None:
        self.left -= 1
        if self.left >= 0:
            locked = sqlite3.OperationalError("database is locked")
            locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise locked


def test_a_new_file_that_others_open_too_is_waited_for_within_bounds() -> None:
    crowded = Crowded(3)
    _use_wal(crowded, 2.0)
    assert crowded.left == -1
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        _use_wal(Crowded(math.inf), 0.03)


def test_many_open_a_new_store_at_once(url: str, stores: Open) -> None:
    opened: list[Store] = []
    run_together([lambda: opened.append(stores(url))] * 5)
    for number, store in enumerate(opened):
        assert store.append_message("c-1", said("Hello", number)).is_new


def test_a_store_of_a_later_version_is_refused(url: str, stores: Open) -> None:
    with stores(url).database._engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(BadInput, match="the store is at revision 9999, this handoff knows up to"):
        stores(url)


def test_a_migration_happens_whole_or_not_at_all(url: str, stores: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.create_index", fails)
        with pytest.raises(RuntimeError):
            stores(url)
    assert stores(url).append_message("c-1", said("Hello", 1)).is_new


def test_other_tables_in_the_database_are_let_be(postgresql_url: str, stores: Open) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num text)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('of mlflow')"))
    stores(postgresql_url)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "of mlflow"
        assert inspect(connection).has_table("conversations")
    engine.dispose()


def test_a_store_may_be_made_before_its_database_answers(sqlite_url: str) -> None:
    path = sqlite_url.removeprefix("sqlite:///")
    missing = pytest.raises(StoreUnavailable, match="No such file or directory")
    with Store(f"sqlite:///{path}.d/x.sqlite") as store, missing:
        store.conversation("c-1")
