from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sweeper.errors import InfrastructureError, InputError
from sweeper.ledger import tables
from sweeper.ledger.database import parse
from sweeper.ledger.owner import Owner
from sweeper.ledger.records import Entry
from sweeper.ledger.store import Ledger
from sweeper.trial import RangeFinding
from tests.ledger.fakes import claimed, new_sweep, numbered, process, report, trial

SECRET = "hunter2-and-more"  # noqa: S105 - planted, to be found nowhere


def test_a_ledger_is_created_and_found_again(url: str, tmp_path: Path) -> None:
    """Folders are made, the file is in WAL mode, foreign keys are on, and what was written is there when it is opened again."""
    assert not Ledger.exists(url)
    with_one = Ledger.open(url)
    with_one.create_sweep(new_sweep())
    with_one.close()
    assert Ledger.exists(url)
    again = Ledger.open(url)
    assert [sweep.name for sweep in again.sweeps()] == ["mlp"]
    with again.database.read() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "foreign_keys", "synchronous")]
    assert pragmas == ["wal", 1, 1]
    assert (again.where, again.damage()) == (str(tmp_path / "runs" / "ledger.db"), [])
    again.close()


def test_eight_processes_may_open_a_fresh_file_at_once(url: str) -> None:
    """One of them creates the tables, the others find them; nobody fails."""
    code = (
        "import sys; from sweeper.ledger.store import Ledger; from tests.ledger.fakes import new_sweep\n"
        "print('ready', flush=True); sys.stdin.read(1); Ledger.open(sys.argv[1]).create_sweep(new_sweep(sys.argv[2]))\n"
    )
    names = [f"sweep-{number}" for number in range(8)]
    with ExitStack() as stack:
        children = [stack.enter_context(process(code, url, name)) for name in names]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        ends = [child.communicate("g")[1] for child in children]
        assert [child.returncode for child in children] == [0] * 8, ends
    ledger = Ledger.open(url)
    assert sorted(sweep.name for sweep in ledger.sweeps()) == names
    ledger.close()


def test_a_file_left_by_a_killed_initialiser_is_made_whole(url: str, tmp_path: Path) -> None:
    """An empty file, or one in WAL mode without tables, is what a kill may leave; tables come all at once."""
    file = tmp_path / "runs" / "ledger.db"
    file.parent.mkdir()
    file.touch()
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    for _ in range(2):
        ledger = Ledger.open(url)
        assert (ledger.sweeps(), ledger.damage()) == ([], [])
        ledger.close()


def test_a_newer_ledger_is_refused(url: str, tmp_path: Path) -> None:
    """Tables of a later version are not guessed at."""
    Ledger.open(url).close()
    with sqlite3.connect(tmp_path / "runs" / "ledger.db") as connection:
        connection.execute("UPDATE ledger SET version = ?", [tables.VERSION + 1])
    connection.close()
    with pytest.raises(InfrastructureError, match="newer sweeper"):
        Ledger.open(url)


def test_an_older_ledger_is_brought_up_to_date_once(url: str, tmp_path: Path) -> None:
    """A ledger of the first version keeps what it holds and takes what is new, also when many open it at once."""
    ledger = Ledger.open(url)
    writer = claimed(ledger)
    [token] = numbered(writer, [trial(0)], "w0")
    ledger.close()
    with sqlite3.connect(tmp_path / "runs" / "ledger.db") as connection:
        connection.execute("ALTER TABLE attempt DROP COLUMN how")
        connection.execute("DROP TABLE range_test")
        connection.execute("UPDATE ledger SET version = 1")
    connection.close()
    code = "import sys; from sweeper.ledger.store import Ledger; print(len(Ledger.open(sys.argv[1]).trials('mlp')), flush=True)"
    with ExitStack() as stack:
        children = [stack.enter_context(process(code, url)) for _ in range(4)]
        assert [child.communicate()[0] for child in children] == ["1\n"] * 4
    ledger = Ledger.open(url)
    ledger.writer("mlp", writer.epoch).record([Entry(token, replace(report(0, 1), how="plain"))])
    assert [record.how for record in ledger.trials("mlp")] == ["plain"]
    ledger.writer("mlp", writer.epoch).put_range_test("d", "s", RangeFinding("ok", "fine"))
    assert [record.finding for record in ledger.range_tests("mlp")] == [RangeFinding("ok", "fine")]
    ledger.close()
    with sqlite3.connect(tmp_path / "runs" / "ledger.db") as connection:
        assert connection.execute("SELECT version FROM ledger").fetchall() == [(tables.VERSION,)]
    connection.close()


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Pointing at MLflow's file by mistake adds no table to it."""
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE experiments (id INTEGER)")
    connection.close()
    with pytest.raises(InfrastructureError, match=r"another program \(experiments\)"):
        Ledger.open(f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("experiments",)]
    connection.close()


def test_a_damaged_file_is_named_with_a_way_out(url: str, tmp_path: Path) -> None:
    """Garbage in the header or in a page is told in a sentence that names the file."""
    file = tmp_path / "runs" / "ledger.db"
    ledger = Ledger.open(url)
    numbered(claimed(ledger, target=200), [trial(number) for number in range(200)], "w0")
    ledger.close()
    whole = file.read_bytes()
    assert len(whole) > 50_000, "closing the last connection moves the log into the file"

    file.write_bytes(whole[:40_000] + b"\xff" * (len(whole) - 40_000))
    ledger = Ledger.open(url)
    with pytest.raises(InfrastructureError, match=r"ledger\.db is damaged: .*recover"):
        ledger.trials("mlp")
    assert ledger.damage()
    ledger.close()

    file.write_bytes(b"not a database, whatever it is" * 100)
    with pytest.raises(InfrastructureError, match=r"ledger\.db is not a SQLite file"):
        Ledger.open(url)


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    """A path that cannot be a file is one sentence."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "ledger.db"):
        with pytest.raises(InfrastructureError, match="cannot be opened"):
            Ledger.open(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("mysql+pymysql://u:{}@h/db", "mysql cannot hold a ledger"),
        ("nonsense {}", "not the URL of a database"),
        ("postgresql://u:{}@h:port/db", "not the URL of a database"),
        ("quux://u:{}@h/db", "not the URL of a database|cannot hold a ledger"),
    ],
)
def test_a_wrong_url_is_one_sentence_without_its_password(url: str, sentence: str) -> None:
    """Bad input, with what is allowed; nothing of the URL is repeated."""
    with pytest.raises(InputError, match=sentence) as error:
        Ledger.open(url.format(SECRET))
    assert SECRET not in str(error.value)
    assert "sqlite:///runs/ledger.db" in str(error.value)


@pytest.mark.parametrize("url", [f"postgresql://u:{SECRET}@127.0.0.1:1/db", f"postgres://u@127.0.0.1:1/db?password={SECRET}"])
def test_a_password_is_never_shown(url: str) -> None:
    """Neither the name for people nor the error of a server that does not answer holds it."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    assert SECRET not in repr(parse(url).set(query={}))
    with pytest.raises(InfrastructureError, match=r"postgresql://u.*@127\.0\.0\.1:1/db") as error:
        Ledger.open(url)
    chain: BaseException | None = error.value
    while chain is not None:
        assert SECRET not in f"{chain} {chain!r}"
        chain = chain.__cause__ or chain.__context__


def test_a_password_is_blotted_out_of_the_servers_own_words() -> None:
    """Whatever the driver says is shown only without it, here with a password that is a word of the message."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(InfrastructureError, match=r"\*\*\*") as error:
        Ledger.open("postgresql://u:refused@127.0.0.1:1/db")
    assert "refused" not in str(error.value)


def test_a_lock_held_for_a_while_is_waited_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own patience is not the end: the beginning of a transaction is tried again, for nothing is written yet."""
    monkeypatch.setattr("sweeper.ledger.database.PATIENCE_S", 0.0)
    writer = claimed(ledger)
    other = sqlite3.connect(ledger.where, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    impatient = Ledger.open(f"sqlite:///{ledger.where}")
    with impatient.database.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    with pytest.raises(InfrastructureError, match="is locked by another process"):
        impatient.writer("mlp", writer.epoch).beat()
    monkeypatch.setattr("sweeper.ledger.database.PATIENCE_S", 60.0)
    monkeypatch.setattr("sweeper.ledger.database.time.sleep", lambda _: other.execute("ROLLBACK"))
    assert impatient.writer("mlp", writer.epoch).beat()
    impatient.close()
    other.close()


def test_a_full_disk_is_told_and_loses_nothing(ledger: Ledger) -> None:
    """The transaction that did not fit is not there, everything before it is."""
    writer = claimed(ledger, target=5000)
    numbered(writer, [trial(0)], "w0")
    with ledger.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(InfrastructureError, match="the disk is full"):
        numbered(writer, [trial(number) for number in range(1, 5000)], "w0")
    assert ledger.counts("mlp").numbered == 1
    assert ledger.known("mlp").owner is not None
    assert ledger.known("mlp").owner.pid == Owner.here().pid  # type: ignore[union-attr]
