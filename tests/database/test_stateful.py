"""Random operations by several owners against a model: no key lost, none with two owners, no late owner heard."""

import dataclasses
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from populate_jobs import (
    Failure,
    Holder,
    JobsTable,
    Outcome,
    Recovered,
    Reservation,
    RetryPolicy,
    complete,
    fail,
    ignore,
    ignore_errors,
    recover,
    refresh,
    release,
    reserve,
    retry_errors,
)

from tests.database.depth import examples, patient
from tests.database.pipeline import Pipeline

KEYS = range(5)
LIMIT = 2
ONCE = RetryPolicy(limit=0)
RETRYING = RetryPolicy(limit=LIMIT, backoff_seconds=0, retry_on=("*",))
FAILURE = Failure("ValueError", "ValueError: too few beats", "Traceback")
HOLDERS = [Holder(f"worker-{name}.test", number) for number, name in enumerate("abc")]
FOREIGN = "somebody's DataJoint"

keys = st.sampled_from(KEYS)
owners = st.sampled_from(range(len(HOLDERS)))
pick = st.integers(0, 20)
picks = st.lists(pick, max_size=4)


@dataclasses.dataclass
class Row:
    status: str = "pending"
    holder: Reservation | str | None = None
    """The foreigner by name."""
    suspect: bool = False
    empty: bool = False
    """Its message says that make inserted nothing."""

    def pend(self, *, suspect: bool) -> None:
        self.status, self.holder, self.suspect, self.empty = "pending", None, suspect, False

    def end(self, status: str) -> None:
        self.status, self.holder, self.suspect = status, None, False


class Model:
    """What the tables must hold."""

    def __init__(self) -> None:
        self.subjects: set[int] = set()
        self.made: set[int] = set()
        self.rows: dict[int, Row] = {}
        self.attempts: dict[int, int] = {}

    def holds(self, held: Reservation) -> bool:
        row = self.rows.get(key_of(held))
        return row is not None and row.status == "reserved" and row.holder == held

    def late(self, held: Reservation) -> Outcome:
        """What somebody is told who does not hold the row: only a key that is done is no loss."""
        row = self.rows.get(key_of(held))
        done = key_of(held) in self.made and (row is None or row.status == "success")
        return Outcome.MADE if done else Outcome.LOST

    def remove(self, held: Reservation) -> None:
        del self.rows[key_of(held)]
        self.forget(held)

    def forget(self, held: Reservation) -> None:
        if held.failed_before:
            self.attempts.pop(key_of(held), None)

    def completed(self, held: Reservation, keep: bool, on_empty: str) -> Outcome:
        key = key_of(held)
        if not self.holds(held):
            return self.late(held)
        if key in self.made and keep:
            self.forget(held)
            self.rows[key].status, self.rows[key].holder = "success", None
        elif key in self.made or key not in self.subjects:
            self.remove(held)
        else:
            self.forget(held)
            self.rows[key].end("error" if on_empty == "Error" else "ignore")
            self.rows[key].empty = True
            return Outcome.ERROR if on_empty == "Error" else Outcome.EMPTY
        return Outcome.MADE if key in self.made else Outcome.VANISHED

    def failed(self, held: Reservation, retried: bool) -> Outcome:
        key = key_of(held)
        if not self.holds(held):
            return Outcome.LOST
        if key in self.made or key not in self.subjects:
            self.remove(held)
            return Outcome.MADE if key in self.made else Outcome.VANISHED
        if retried and self.attempts.get(key, 0) < LIMIT:
            self.attempts[key] = self.attempts.get(key, 0) + 1
            self.rows[key].pend(suspect=False)
            return Outcome.RETRY
        self.forget(held)
        self.rows[key].end("error")
        return Outcome.ERROR

    def released(self, held: Reservation) -> Outcome:
        if not self.holds(held):
            return Outcome.LOST
        if key_of(held) in self.made:
            self.remove(held)
            return Outcome.MADE
        row = self.rows[key_of(held)]
        row.pend(suspect=row.suspect)
        return Outcome.RELEASED

    def recovered(self, held: Reservation, killed: bool) -> Outcome:
        row = self.rows[key_of(held)]
        if key_of(held) in self.made or not killed:
            return self.released(held)
        if row.suspect:
            return self.failed(held, retried=False)
        row.pend(suspect=True)
        return Outcome.RELEASED

    def refreshed(self, keep: bool) -> tuple[int, int, int]:
        """Rows added, removed and made pending again."""
        gone = [
            key
            for key, row in self.rows.items()
            if (row.status in ("success", "error") or (row.status == "ignore" and row.empty))
            and key not in self.subjects | self.made
        ]
        for key in gone:
            del self.rows[key]
        undone = [key for key, row in self.rows.items() if keep and row.status == "success"]
        undone = [key for key in undone if key in self.subjects - self.made]
        for key in undone:
            self.rows[key].pend(suspect=False)
        new = self.subjects - self.made - self.rows.keys()
        self.rows |= {key: Row() for key in new}
        return len(new), len(gone), len(undone)


def key_of(held: Reservation) -> int:
    return int(held.key["subject_id"])


class Operations(RuleBasedStateMachine):
    """Every operation of the queue, by owners whose reservations may long be somebody else's."""

    pipeline: Pipeline
    sessions: Sequence[JobsTable]

    @initialize()
    def begin(self) -> None:
        self.model = Model()
        self.reservations: list[Reservation] = []
        self.pipeline.empty()
        for key in KEYS[:3]:
            self.add_subject(key)
        self.refresh(0, False)

    def held(self, picks: Sequence[int]) -> list[Reservation]:
        """Some of all the reservations there ever were, of each key one."""
        chosen = [self.reservations[-1 - pick % len(self.reservations)] for pick in picks if self.reservations]
        return list({key_of(held): held for held in chosen}.values())

    @rule(key=keys)
    def add_subject(self, key: int) -> None:
        if key not in self.model.subjects:
            self.pipeline.add(key)
            self.model.subjects.add(key)

    @rule(key=keys)
    def remove_subject(self, key: int) -> None:
        if key in self.model.subjects - self.model.made:
            (self.pipeline.manual["Subject"] & {"subject_id": key}).delete_quick()
            self.model.subjects.discard(key)

    @rule(key=keys)
    def make(self, key: int) -> None:
        if key in self.model.subjects - self.model.made:
            self.pipeline.make(key)
            self.model.made.add(key)

    @rule(key=keys)
    def unmake(self, key: int) -> None:
        (self.pipeline.target & {"subject_id": key}).delete_quick()
        self.model.made.discard(key)

    @rule(owner=owners, keep=st.booleans())
    def refresh(self, owner: int, keep: bool) -> None:
        did = refresh(self.sessions[owner], stale_timeout=0, keep_completed=keep)
        assert (did.added, did.removed, did.re_pended) == self.model.refreshed(keep)

    @rule(owner=owners, n=st.integers(1, 3), alone=st.booleans())
    def reserve(self, owner: int, n: int, alone: bool) -> None:
        rows = self.model.rows
        pending = {key for key, row in rows.items() if row.status == "pending"}
        suspects = {key for key in pending if rows[key].suspect}
        taken = reserve(self.sessions[owner], HOLDERS[owner], n, alone=alone)
        got = {key_of(held) for held in taken}
        assert len(got) == len(taken)
        assert got <= pending
        assert not got & suspects or (alone and len(got) == 1)
        assert suspects or len(got) == min(n, len(pending))
        assert got or not (pending if alone else pending - suspects)
        for held in taken:
            assert held.suspect == rows[key_of(held)].suspect
            rows[key_of(held)] = Row("reserved", held, held.suspect)
        self.reservations += taken

    @rule(owner=owners, picks=picks, keep=st.booleans(), on_empty=st.sampled_from(["Ignore", "Error"]))
    def complete(self, owner: int, picks: list[int], keep: bool, on_empty: str) -> None:
        batch = self.held(picks)
        finished = [(held, 0.5) for held in batch]
        outcomes = complete(self.sessions[owner], finished, keep_completed=keep, on_empty=on_empty)
        assert outcomes == [self.model.completed(held, keep, on_empty) for held in batch]

    @rule(owner=owners, pick=pick, retried=st.booleans())
    def fail(self, owner: int, pick: int, retried: bool) -> None:
        for held in self.held([pick]):
            policy = RETRYING if retried else RetryPolicy()
            assert fail(self.sessions[owner], held, FAILURE, policy) == self.model.failed(held, retried)

    @rule(owner=owners, picks=picks)
    def release(self, owner: int, picks: list[int]) -> None:
        batch = self.held(picks)
        assert release(self.sessions[owner], batch) == [self.model.released(held) for held in batch]

    @rule(owner=owners, dead=owners, but=picks, killed=st.booleans())
    def recover(self, owner: int, dead: int, but: list[int], killed: bool) -> None:
        host, kept = HOLDERS[dead].host, self.held(but)
        orphans = [row.holder for row in self.model.rows.values() if isinstance(row.holder, Reservation)]
        orphans = [held for held in orphans if held.host == host and held not in kept]
        did = recover(self.sessions[owner], [host], suspect="OOMKilled" if killed else None, policy=ONCE, but=kept)
        outcomes = [self.model.recovered(held, killed) for held in orphans]
        released = outcomes.count(Outcome.RELEASED)
        assert did == Recovered(
            released, outcomes.count(Outcome.MADE), released if killed else 0, outcomes.count(Outcome.ERROR)
        )

    @rule(key=keys)
    def reserve_by_datajoint(self, key: int) -> None:
        row = self.model.rows.get(key)
        pending = row is not None and row.status == "pending"
        assert self.pipeline.jobs.reserve({"subject_id": key}) == pending
        if row and pending:
            row.status, row.holder = "reserved", FOREIGN

    @rule(key=keys)
    def complete_by_datajoint(self, key: int) -> None:
        """Whoever holds the row: DataJoint does not ask."""
        self.pipeline.instance.config.jobs.keep_completed = False
        self.pipeline.jobs.complete({"subject_id": key})
        self.model.rows.pop(key, None)

    @rule(owner=owners, retried=st.booleans())
    def settle_errors(self, owner: int, retried: bool) -> None:
        errors = [row for row in self.model.rows.values() if row.status == "error"]
        assert (retry_errors if retried else ignore_errors)(self.sessions[owner]) == len(errors)
        for row in errors:
            row.pend(suspect=False) if retried else row.end("ignore")

    @rule(owner=owners, key=keys)
    def ignore(self, owner: int, key: int) -> None:
        row = self.model.rows.setdefault(key, Row())
        if row.status != "reserved":
            row.end("ignore")
        assert ignore(self.sessions[owner], [{"subject_id": key}]) == (row.status == "ignore")

    @rule(owner=owners)
    def reconnect(self, owner: int) -> None:
        self.sessions[owner].connection.reconnect()

    @invariant()
    def the_tables_hold_what_the_model_holds(self) -> None:
        rows = self.pipeline.rows()
        assert {key: row["status"] for (key,), row in rows.items()} == {
            key: row.status for key, row in self.model.rows.items()
        }
        for (key,), row in rows.items():
            expected = self.model.rows[key]
            if isinstance(expected.holder, Reservation):
                fence = expected.holder
                assert (row["host"], row["pid"], row["connection_id"], row["reserved_time"]) == (
                    (fence.host, fence.pid, fence.connection_id, fence.reserved_time)
                )
            if row["status"] in ("pending", "reserved"):
                assert row["error_message"].startswith("Suspect: ") == expected.suspect
        assert self.pipeline.attempts() == sorted(self.model.attempts.values())


@patient
def test_the_queue_does_what_its_model_does_whatever_the_order(pipeline: Pipeline) -> None:
    class Machine(Operations):
        pass

    Machine.pipeline = pipeline
    Machine.sessions = [pipeline.session() for _ in HOLDERS]
    run_state_machine_as_test(Machine, settings=examples(quick=20, deep=300, steps=40))
