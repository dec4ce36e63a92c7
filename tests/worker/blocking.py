"""Holds up statements of a worker from a second session, and sees that they wait."""

import contextlib
from collections.abc import Iterator

from tests.worker.lab import Lab

ADVISORY_LOCK = 42


@contextlib.contextmanager
def jobs_table_locked(lab: Lab) -> Iterator[None]:
    """Nobody else reads or writes the jobs table."""
    statements = {
        "mysql": ("LOCK TABLES {} WRITE", "UNLOCK TABLES"),
        "postgresql": ("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", "ROLLBACK"),
    }[lab.server.backend]
    with _held(lab, *(statement.format(lab.document().jobs) for statement in statements)):
        yield


def prepare_commits_to_wait(lab: Lab) -> None:
    """To be called before anything is inserted; PostgreSQL has no lock on commits but one that a trigger takes."""
    if lab.server.backend == "postgresql":
        lab.execute(
            "CREATE FUNCTION wait_for_us() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_advisory_xact_lock({ADVISORY_LOCK}); RETURN NULL; END $$"
        )
        lab.execute(
            f"CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON {lab.document().target} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_us()"
        )


@contextlib.contextmanager
def commits_blocked(lab: Lab) -> Iterator[None]:
    """On a server of one's own: MariaDB has one lock for all that is committed."""
    statements = {
        "mysql": ("FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"),
        "postgresql": (f"SELECT pg_advisory_lock({ADVISORY_LOCK})", f"SELECT pg_advisory_unlock({ADVISORY_LOCK})"),
    }[lab.server.backend]
    with _held(lab, *statements):
        yield


def waits_for_jobs_table(lab: Lab) -> bool:
    return waits_for(lab, lab.document().jobs)


def waits_for(lab: Lab, table: str) -> bool:
    name = table.rpartition(".")[2].strip('`"')
    return any(name in statement for statement in _waiting(lab))


def waits_in_commit(lab: Lab) -> bool:
    return any(statement.strip().upper().startswith("COMMIT") for statement in _waiting(lab))


def _waiting(lab: Lab) -> list[str]:
    """Statements that wait for a lock."""
    sql = {
        "mysql": "SELECT info FROM information_schema.processlist WHERE state LIKE 'Waiting for%lock' AND info <> ''",
        "postgresql": "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    }[lab.server.backend]
    return [statement for (statement,) in lab.execute(sql)]


@contextlib.contextmanager
def _held(lab: Lab, take: str, release: str) -> Iterator[None]:
    with contextlib.closing(lab.server.connect()) as holder, holder.cursor() as cursor:
        cursor.execute(take)
        yield
        cursor.execute(release)
