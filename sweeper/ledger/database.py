"""The connection to the store: SQLite in WAL mode or PostgreSQL, opened safely by many, with its failures told in sentences."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sweeper.errors import InfrastructureError, InputError
from sweeper.ledger import tables
from sweeper.ledger.filesystem import MOUNTS, network_mount

SOURCE = "SWEEPER_LEDGER_URL"
BUSY_S = 30.0
"""How long SQLite waits for a lock before it says so."""
PATIENCE_S = 90.0
"""How long the beginning of a transaction is tried again: nothing is written yet, so trying again loses and doubles nothing."""
_ADVISORY_LOCK = 0x5357454550  # "SWEEP"; one initialiser per PostgreSQL database


class Database:
    """Short transactions on one store; safe to share between threads, not between processes."""

    def __init__(self, url: sa.URL) -> None:
        self.where = _where(url)
        self._file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        self._secrets = [str(secret) for secret in (url.password, url.query.get("password"), url.query.get("sslpassword")) if secret]
        self._reads, self._writes = self._engines(url)

    @classmethod
    def open(cls, url: str) -> Database:
        """Connect; create the tables where there are none, and bring older ones up to date.

        Raises:
            InputError: this is not a URL of a store that can hold a ledger.
            InfrastructureError: the store cannot be reached, is damaged, or holds something else.
        """
        database = cls(parse(url))
        with database._told():
            if database._file is None:
                database._create_postgresql()
                return database
            try:
                database._create_sqlite(database._file)
            except OSError as error:
                raise InfrastructureError(f"the ledger {database.where} cannot be opened: {error.strerror} ({error.filename})") from error
        return database

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._writes.dialect.name

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One transaction that sees one state of the store throughout."""
        with self._told(), self._begin(self._reads) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that is written wholly or not at all; on SQLite it is alone from its beginning."""
        with self._told(), self._begin(self._writes) as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self._writes.dispose()

    def damage(self) -> list[str]:
        """What SQLite's own check finds wrong with the file; empty when all is well, and for PostgreSQL, which checks itself."""
        if self._file is None:
            return []
        try:
            with self.read() as connection:
                found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
        except InfrastructureError as error:  # damaged so badly that even the check breaks off
            return [str(error)]
        return [] if found == ["ok"] else found

    def _engines(self, url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
        if self._file is None:
            engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
            return engine.execution_options(isolation_level="REPEATABLE READ"), engine
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_S}, hide_parameters=True)
        reads, writes = engine.execution_options(begin="BEGIN"), engine.execution_options(begin="BEGIN IMMEDIATE")
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return reads, writes

    @contextmanager
    def _begin(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                connection = engine.connect()
                try:
                    transaction = connection.begin()
                except BaseException:
                    connection.close()
                    raise
                break
            except sa.exc.OperationalError as error:
                if time.monotonic() > deadline or not _passing(error):
                    raise
                time.sleep(0.5)
        with connection, transaction:
            yield connection

    def _create_sqlite(self, file: Path) -> None:
        network = network_mount(file.resolve(), MOUNTS.read_text() if MOUNTS.exists() else "")
        if network is not None:
            raise InfrastructureError(
                f"the ledger {file} would lie on {network}, where SQLite loses data; set {SOURCE} to a local file or PostgreSQL"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file() and file.stat().st_size and self._initialised():
            return
        # Switching to WAL and creating tables is for one process at a time; the kernel drops the lock of a dead one.
        with Path(f"{file}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with self._writes.connect() as connection:
                connection.connection.driver_connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[union-attr]
            self._create_tables()

    def _initialised(self) -> bool:
        with self._begin(self._reads) as connection:
            return self._recognise(connection) == tables.VERSION

    def _create_tables(self) -> None:
        with self._begin(self._writes) as connection:
            self._bring_up_to_date(connection)

    def _create_postgresql(self) -> None:
        with self._writes.begin() as connection:  # no patience here: a wrong host name shall be told at once
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            self._bring_up_to_date(connection)

    def _bring_up_to_date(self, connection: sa.Connection) -> None:
        """Create the tables, or take them from an older version to this one, within the caller's transaction."""
        version = self._recognise(connection)
        if version is None:
            tables.metadata.create_all(connection)
            connection.execute(sa.insert(tables.ledger).values(version=tables.VERSION, epochs=0))
        elif version < tables.VERSION:
            for older in range(version, tables.VERSION):
                connection.exec_driver_sql(tables.UPGRADES[older])
            connection.execute(sa.update(tables.ledger).values(version=tables.VERSION))

    def _recognise(self, connection: sa.Connection) -> int | None:
        """The version of the tables that are there, None when there are none; refuses what is not ours and what is newer."""
        names = set(sa.inspect(connection).get_table_names())
        if tables.ledger.name not in names:
            foreign = names if self._file is not None else names & set(tables.metadata.tables)
            if foreign:
                raise InfrastructureError(
                    f"{self.where} holds the tables of another program ({', '.join(sorted(foreign)[:3])}), not a ledger; "
                    f"point {SOURCE} at a file or a database of its own"
                )
            return None
        version = int(connection.execute(sa.select(tables.ledger.c.version)).scalar_one())
        if version > tables.VERSION:
            raise InfrastructureError(
                f"the ledger at {self.where} was written by a newer sweeper (version {version} of the tables, this one knows "
                f"{tables.VERSION}); upgrade sweeper, or use another ledger"
            )
        return version

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise InfrastructureError(self._sentence(error)) from error

    def _sentence(self, error: Exception) -> str:
        origin = error.orig if isinstance(error, sa.exc.DBAPIError) and error.orig is not None else error
        name = getattr(origin, "sqlite_errorname", "") if isinstance(origin, sqlite3.Error) else ""
        for code, sentence in _SQLITE.items():
            if name.startswith(code):
                return f"the ledger {self.where} {sentence}"
        detail = str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
        for secret in self._secrets:
            detail = detail.replace(secret, "***")
        return f"the ledger at {self.where} failed: {detail}"


_SQLITE = {
    "SQLITE_NOTADB": "is not a SQLite file, or is damaged: move it away and put back a copy, or start anew without its sweeps",
    "SQLITE_CORRUPT": "is damaged: stop all sweeps, then `sqlite3 LEDGER .recover | sqlite3 NEW` saves what can be saved; move the damaged "
    "file and its -wal and -shm away and put the new one in its place",
    "SQLITE_FULL": "could not be written, the disk is full: free some space and run the same command again; nothing recorded is lost",
    "SQLITE_READONLY": "may not be written to: check who owns the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened: check that the folder exists and may be written to",
    "SQLITE_BUSY": f"is locked by another process, and stayed so for {PATIENCE_S:.0f} s",
    "SQLITE_IOERR": "could not be read or written, the disk reports an error",
}


def parse(url: str) -> sa.URL:
    """The URL of a store that can hold a ledger; SQLite's path made absolute. The password in it is never shown.

    Raises:
        InputError: it is no URL, in memory only, of another kind of database, or of one whose driver is not installed.
    """
    allowed = "sqlite:///runs/ledger.db or postgresql://user@host/database"
    try:
        parsed = sa.make_url(url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url)
        backend = parsed.get_backend_name()
    except (sa.exc.ArgumentError, ValueError):
        raise InputError.of(
            SOURCE, "", "this is not the URL of a database (it is not shown, for it may hold a password)", allowed
        ) from None
    if backend == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise InputError.of(SOURCE, "", "a database in memory would be lost with the process", allowed)
        return sa.URL.create("sqlite", database=str(Path(parsed.database or "").expanduser().absolute()))
    if backend != "postgresql":
        raise InputError.of(SOURCE, "", f"{backend} cannot hold a ledger", allowed)
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise InputError.of(SOURCE, "", "PostgreSQL needs the package psycopg", hint="pip install 'sweeper[postgres]'") from None
    return parsed.set(drivername="postgresql+psycopg")


def _where(url: sa.URL) -> str:
    """The store's name for people, without any secret."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    address = {key: value for key, value in url.query.items() if key in {"host", "port"}}
    return url.set(password=None, query=address, drivername="postgresql").render_as_string()


def _passing(error: sa.exc.OperationalError) -> bool:
    """Whether waiting may help: the file is locked, or the server is away."""
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorname.startswith("SQLITE_BUSY")
    return True


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transactions of its own; _begin_sqlite does
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])
