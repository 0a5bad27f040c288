from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from sweeper.errors import InfrastructureError, SweepHeldError
from sweeper.ledger import tables
from sweeper.ledger.invariants import check
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry
from sweeper.ledger.store import Ledger
from sweeper.trial import RangeFinding
from tests.ledger import test_store, test_writer
from tests.ledger.fakes import DONE, claimed, finish, line, new_sweep, numbered, process, report, trial
from tests.ledger.test_kill import DRIVE

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.slow

SECRET = "hunter2-and-more"  # noqa: S105 - planted, to be found nowhere


class Server:
    """A PostgreSQL server on a socket in a temporary folder; it never listens on a port."""

    def __init__(self, binaries: Path, folder: Path, user: str | None) -> None:
        self.folder, self._binaries, self._user = folder, binaries, user

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs; as another user when this one is root, whom it refuses."""
        command = [self._binaries / program, *arguments]
        subprocess.run(command, check=True, user=self._user, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-o", options, "-w", "start")

    def stop(self) -> None:
        """Stop it at once: every connection breaks."""
        self.run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def url(self, database: str) -> str:
        """Where the database of that name is, with a password that the server does not ask for."""
        return f"postgresql://sweeper:{SECRET}@/{database}?host={quote(str(self.folder), safe='')}"


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, if they are installed."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "pg_ctl").exists()), None)


def unprivileged() -> str | None:
    """The user to run the server as: None (this one) unless this is root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A running server."""
    place, user = binaries(), unprivileged()
    if place is None or (os.geteuid() == 0 and user is None):
        pytest.skip("no PostgreSQL server is installed here")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 characters
    if user is not None:
        shutil.chown(folder, user)
    server = Server(place, folder, user)
    server.run("initdb", "-D", f"{folder}/data", "-U", "sweeper", "--auth=trust", "-E", "UTF8", "--no-sync")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A fresh database."""
    name = f"db{abs(hash(request.node.nodeid)) % 10**12}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.url(name)


STORE = [getattr(test_store, name) for name in dir(test_store) if name.startswith("test_")]
WRITER = [getattr(test_writer, name) for name in dir(test_writer) if name.startswith("test_")]
SAME = [test for test in STORE + WRITER if test.__code__.co_varnames[: test.__code__.co_argcount] == ("ledger",)]


@pytest.mark.parametrize("test", SAME, ids=lambda test: test.__name__.removeprefix("test_"))
def test_what_holds_on_sqlite_holds_on_postgresql(test, url: str) -> None:
    """Round trips, fencing, counts, the past and the tracker's cursor do not depend on the store."""
    ledger = Ledger.open(url)
    test(ledger)
    ledger.close()


def test_an_older_database_is_brought_up_to_date(url: str) -> None:
    """Tables of the first version get what later ones have, column by column as a fresh database has them."""
    ledger = Ledger.open(url)
    fresh = {column.name: str(column.type) for column in tables.range_test.columns}
    with ledger.database.write() as connection:
        for statement in ("ALTER TABLE attempt DROP COLUMN how", "DROP TABLE range_test", "UPDATE ledger SET version = 1"):
            connection.exec_driver_sql(statement)
    ledger.close()
    ledger = Ledger.open(url)
    writer = claimed(ledger)
    writer.put_range_test("d", "s", RangeFinding("ok", "fine", 1e-2, (1e-3, 1e-1), 300, 0.5))
    assert ledger.range_tests("mlp")[0].finding.bracket == (1e-3, 1e-1)
    with ledger.database.read() as connection:
        found = sa.inspect(connection).get_columns("range_test")
        assert {column["name"]: str(column["type"]) for column in found} == fresh | {
            "seconds": "DOUBLE PRECISION",
            "at": "DOUBLE PRECISION",
        }
        assert connection.execute(sa.select(tables.ledger.c.version)).scalar_one() == tables.VERSION
    ledger.close()


def test_eight_processes_may_open_a_fresh_database_at_once(url: str) -> None:
    """An advisory lock lets one of them create the tables."""
    code = (
        "import sys; from sweeper.ledger.store import Ledger; from tests.ledger.fakes import new_sweep\n"
        "print('ready', flush=True); sys.stdin.read(1); Ledger.open(sys.argv[1]).create_sweep(new_sweep(sys.argv[2]))\n"
    )
    names = [f"sweep-{number}" for number in range(8)]
    with ExitStack() as stack:
        children = [stack.enter_context(process(code, url, name)) for name in names]
        for child in children:
            line(child)
        ends = [child.communicate("g")[1] for child in children]
        assert [child.returncode for child in children] == [0] * 8, ends
    ledger = Ledger.open(url)
    assert sorted(sweep.name for sweep in ledger.sweeps()) == names
    ledger.close()


def test_of_two_that_claim_at_once_one_gets_the_sweep(url: str) -> None:
    """The row's lock decides; the other one is told who has it."""
    ledger = Ledger.open(url)
    ledger.create_sweep(new_sweep())
    results: list[str] = []

    def claim() -> None:
        try:
            results.append(f"epoch {ledger.claim('mlp', Owner.here()).epoch}")
        except SweepHeldError as error:
            results.append(str(error).split(" since")[0])

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = f"sweep 'mlp' is being driven by process {os.getpid()} on {Owner.here().host}"
    assert sorted(results) == ["epoch 1", held, held, held]
    ledger.close()


def test_a_killed_driver_leaves_whole_transactions(url: str) -> None:
    """``kill -9`` in the middle of writing, then the next driver: all invariants hold."""
    ledger = Ledger.open(url)
    ledger.create_sweep(new_sweep(target=60))
    for count in (5, 11):
        with process(DRIVE, url) as child:
            for _ in range(count):
                line(child)
        assert check(ledger, ledger.known("mlp")) == []
    writer = ledger.claim("mlp", Owner.here())
    open_trials = [record.number for record in ledger.trials("mlp") if record.outcome is None]
    for number in open_trials:
        finish(writer, number, writer.start([number], "w1")[0])
    assert check(ledger, ledger.known("mlp")) == []
    ledger.close()


def test_a_restart_of_the_server_is_waited_for(server: Server, url: str) -> None:
    """Connections that broke are replaced, and a server that is away for a moment stops nobody."""
    ledger = Ledger.open(url)
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    server.stop()
    starter = threading.Thread(target=lambda: (time.sleep(1.0), server.start()))
    starter.start()
    writer.record([Entry(token, report(0, 1)), Entry(token, report(0, 2), DONE, (0.5, 1))])
    starter.join()
    assert ledger.counts("mlp").complete == 1
    ledger.close()


def test_a_database_that_is_not_there_is_told_at_once_without_the_password(server: Server) -> None:
    """The server's own words, and where; not the password."""
    with pytest.raises(InfrastructureError, match='database "none" does not exist') as error:
        Ledger.open(server.url("none"))
    assert SECRET not in str(error.value)
    assert str(server.folder) in str(error.value)


def test_tables_of_the_same_names_are_left_alone(server: Server, url: str) -> None:
    """A database where somebody else has a table ``trial`` is refused; other tables do not matter."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE experiments (id int)")
    Ledger.open(url).close()
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE ledger")
    with pytest.raises(InfrastructureError, match="another program"):
        Ledger.open(url)
