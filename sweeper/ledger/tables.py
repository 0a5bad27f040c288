"""The tables. Short columns come first: SQLite then reads them without walking the pages of the long texts behind them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 3
"""Of these tables; a ledger of a newer version is refused, not guessed at; an older one is brought up to date when it is opened."""

UPGRADES = {
    1: "ALTER TABLE attempt ADD COLUMN how TEXT",
    2: "CREATE TABLE range_test (sweep VARCHAR(63) NOT NULL REFERENCES sweep (name) ON DELETE CASCADE, digest VARCHAR(64) NOT NULL, "
    "cached BOOLEAN NOT NULL, cost_steps BIGINT NOT NULL, seconds DOUBLE PRECISION NOT NULL, at DOUBLE PRECISION NOT NULL, "
    "signature TEXT NOT NULL, finding TEXT NOT NULL, PRIMARY KEY (sweep, digest))",
}
"""From each earlier version to the next: what both databases do at once, whatever the table holds."""

metadata = MetaData()

ledger = Table(
    "ledger",
    metadata,
    Column("version", Integer, primary_key=True),
    # Owner epochs are drawn from one counter for the whole ledger: a sweep that is removed and made again under the same
    # name never meets an epoch that an orphan of the old one still holds.
    Column("epochs", BigInteger, nullable=False),
)

sweep = Table(
    "sweep",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("metric", String(32), nullable=False),
    Column("target", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("owner_epoch", BigInteger, nullable=False),
    Column("owner_host", Text),
    Column("owner_pid", Integer),
    Column("owner_machine", Text),
    Column("owner_start", Text),
    Column("owner_since", Double),
    Column("owner_seen", Double),
    Column("created", Double, nullable=False),
    Column("ended", Double),
    Column("fingerprint", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("space", Text, nullable=False),
)

trial = Table(
    "trial",
    metadata,
    Column("sweep", String(63), ForeignKey("sweep.name", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(16)),
    Column("closed_order", Integer),
    Column("best_value", Double),
    Column("best_epoch", Integer),
    Column("epochs", Integer, nullable=False),
    Column("seconds", Double),
    Column("created", Double, nullable=False),
    Column("ended", Double),
    Column("block", Integer, nullable=False),
    Column("sibling", Integer, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("shape", Text, nullable=False),
    Column("reason", Text),
    Column("sampled", Text, nullable=False),
    Column("config", Text, nullable=False),
    UniqueConstraint("sweep", "closed_order"),
    Index("trial_outcome", "sweep", "outcome", "best_value"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("sweep", String(63), nullable=False),
    Column("number", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started", Double, nullable=False),
    Column("ended", Double),
    Column("result", String(16), nullable=False),
    Column("how", Text),
    ForeignKeyConstraint(["sweep", "number"], ["trial.sweep", "trial.number"], ondelete="CASCADE"),
    UniqueConstraint("sweep", "number", "n"),
    sqlite_autoincrement=True,  # a fencing token is never given out twice, not even after its sweep was removed
)
Index(
    "attempt_running",  # at most one live attempt per trial: held by the database, not only by the code
    attempt.c.sweep,
    attempt.c.number,
    unique=True,
    sqlite_where=attempt.c.result == "running",
    postgresql_where=attempt.c.result == "running",
)

report = Table(
    "report",
    metadata,
    Column("sweep", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("ended", Text),
    Column("metrics", Text, nullable=False),
    ForeignKeyConstraint(["sweep", "number"], ["trial.sweep", "trial.number"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

range_test = Table(
    "range_test",
    metadata,
    Column("sweep", String(63), ForeignKey("sweep.name", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("cached", Boolean, nullable=False),
    Column("cost_steps", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("at", Double, nullable=False),
    # Of the test with data, device and version: by it a finding of another sweep is known again.
    Column("signature", Text, nullable=False),
    Column("finding", Text, nullable=False),
)

tracked = Table(
    "tracked",
    metadata,
    Column("sweep", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("run_id", Text),
    Column("epoch", Integer, nullable=False),
    Column("outcome", String(16)),
    ForeignKeyConstraint(["sweep", "number"], ["trial.sweep", "trial.number"], ondelete="CASCADE"),
)
Index(
    "tracked_open",  # finds what is still to be mirrored without a look at what has been; a table WITHOUT ROWID would not use it
    tracked.c.sweep,
    tracked.c.number,
    sqlite_where=tracked.c.outcome.is_(None),
    postgresql_where=tracked.c.outcome.is_(None),
)
tracked_sweep = Table(
    "tracked_sweep",
    metadata,
    Column("sweep", String(63), ForeignKey("sweep.name", ondelete="CASCADE"), primary_key=True),
    Column("run_id", Text),
    Column("state", String(16)),
)
