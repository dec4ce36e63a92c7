"""The queues of many PopulateJobs on one login, kept an eye on together."""

import dataclasses
import time
from collections.abc import Callable, Iterator

import pytest
from populate_jobs import Counts, DatabaseSettings, Progress, ResolveDocument, refresh, reserve
from populate_operator.database import login, rounds
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper, Watch
from populate_operator.database.lane import Limits
from populate_operator.database.login import Login
from populate_operator.spec import Spec, Worker

from tests.database.pipeline import ANNA, OURS, Pipeline
from tests.servers.host import PATIENCE, wait_until
from tests.unit.hostile import HARM, HostileMySQL, HostilePostgreSQL, silence

SPEC = Spec(table="lab.Scan", worker=Worker(image="lab"))
EVERY = 0.1
SLEEP = {"mysql": "SLEEP(%s) = 0", "postgresql": "pg_sleep(%s)::text = ''"}
WORKING = {
    "mysql": "SELECT id FROM information_schema.processlist WHERE info LIKE '%AS endless WHERE%'"
    " AND info NOT LIKE '%info LIKE%'",
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE query LIKE '%AS endless WHERE%'"
    " AND query NOT LIKE '%query LIKE%' AND state = 'active'",
}


class Desk:
    """What the operator's loop does for its keepers."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.login = Login(settings, lambda: None)
        self.news = 0
        self.keepers: list[Keeper] = []

    def keeper(self, document: ResolveDocument, spec: Spec = SPEC) -> Keeper:
        """One at rest; it was refreshed when this returns."""
        made = Keeper(self.login, Flight(lambda: None), self._was_told, OURS)
        self.keepers.append(made)
        made.refresh(document, spec)
        made.watch(Watch(document, spec, None, EVERY, EVERY, quiet=True))
        return made

    def until(self, condition: Callable[[], object], *others: "Desk") -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it did not come to that"
            for desk in (self, *others):
                desk.turn()
            time.sleep(0.005)

    def turn(self) -> None:
        for keeper in self.keepers:
            keeper._flight.collect()
        self.login.rounds.collect()
        self.login.go(time.monotonic())

    def _was_told(self) -> None:
        self.news += 1


@pytest.fixture
def desk(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(rounds, "SHORTEST", EVERY)
    found = Desk(pipeline.settings)
    yield found
    found.login.close(5)


def looked_after(keeper: Keeper) -> Callable[[], bool]:
    """Whether another look and another check have come since now."""
    queue, refreshed = keeper.queue, keeper.refreshed
    return lambda: keeper.queue is not queue and keeper.refreshed is not refreshed and keeper.refreshed is not None


def test_new_keys_upstream_are_queued_without_a_turn_of_the_plan(pipeline: Pipeline, desk: Desk) -> None:
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.refreshed and keeper.queue)
    pipeline.add(1, 2, 3)
    desk.until(lambda: keeper.queue is not None and keeper.queue.ready == 3)
    # The rows are there before the refresh that queued them has measured what there is.
    desk.until(lambda: keeper.refreshed is not None and keeper.refreshed.progress == Progress(3, 0))
    assert keeper.unfinished == 3


def test_what_has_not_changed_is_no_news(pipeline: Pipeline, desk: Desk) -> None:
    pipeline.add(1)
    pipeline.make(1)
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.refreshed and keeper.queue)
    desk.until(looked_after(keeper))
    told, before = desk.news, keeper.refreshed
    desk.until(looked_after(keeper))
    assert desk.news == told
    assert keeper.refreshed is not None
    assert before is not None
    assert keeper.refreshed.ended > before.ended
    assert dataclasses.replace(keeper.refreshed, started=before.started, ended=before.ended, seconds=0.0) == (
        dataclasses.replace(before, seconds=0.0)
    )


def test_rows_that_somebody_reserves_are_news(pipeline: Pipeline, desk: Desk) -> None:
    pipeline.add(1, 2)
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.queue and keeper.queue.ready == 2)
    told = desk.news
    reserve(pipeline.session(), ANNA, 1)
    desk.until(lambda: keeper.queue and dict(keeper.queue.held) == {ANNA.host: 1})
    assert desk.news > told
    desk.until(lambda: keeper.tally and keeper.tally.counts == Counts(pending=1, reserved=1))


def test_a_key_that_left_the_restriction_is_seen_with_its_worker_and_is_no_news_to_one_at_rest(
    pipeline: Pipeline, desk: Desk
) -> None:
    pipeline.add(1)
    pipeline.enqueue(1)
    keeper = desk.keeper(pipeline.document("subject_id > 1"))
    desk.until(lambda: keeper.refreshed and keeper.queue)
    desk.until(looked_after(keeper))
    told = desk.news
    reserve(pipeline.session(), ANNA, 1)
    desk.until(lambda: keeper.queue and dict(keeper.queue.outside) == {ANNA.host: 1})
    assert keeper.queue is not None
    assert (dict(keeper.queue.held), keeper.queue.holders, desk.news) == ({}, {ANNA.host}, told)
    assert keeper.tally is not None
    assert keeper.tally.counts == Counts()


def test_errors_are_told_with_their_messages(pipeline: Pipeline, desk: Desk) -> None:
    pipeline.add(1, 2)
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.queue and keeper.queue.ready == 2)
    pipeline.change(1, status="error", error_message="ValueError: too few beats")
    desk.until(lambda: keeper.tally and keeper.tally.errors)
    assert keeper.tally is not None
    assert [(group.count, group.message) for group in keeper.tally.errors] == [(1, "ValueError: too few beats")]


def test_errors_keep_their_messages_when_a_refresh_ends_that_had_counted_before_them(
    pipeline: Pipeline, desk: Desk
) -> None:
    pipeline.add(1, 2)
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.refreshed)
    earlier = keeper.refreshed
    assert earlier is not None
    assert earlier.counts.error == 0
    pipeline.change(1, status="error", error_message="ValueError: too few beats")
    desk.until(lambda: keeper.tally and keeper.tally.errors)
    keeper._refreshed(earlier)
    desk.until(lambda: keeper.tally and keeper.tally.errors)


def test_a_refresh_tells_the_errors_it_counts_with_their_messages(pipeline: Pipeline, desk: Desk) -> None:
    pipeline.add(1, 2)
    refresh(pipeline.session())
    pipeline.change(1, status="error", error_message="ValueError: too few beats")
    keeper = desk.keeper(pipeline.document())
    keeper.watch(None)
    desk.until(lambda: keeper.refreshed)
    assert keeper.tally is not None
    assert [(group.count, group.message) for group in keeper.tally.errors] == [(1, "ValueError: too few beats")]


@pytest.mark.parametrize("broken", ["restriction", "restricted_key_source"])
def test_one_with_broken_sql_knows_it_and_the_others_do_not_notice(pipeline: Pipeline, desk: Desk, broken: str) -> None:
    pipeline.add(1, 2)
    document = pipeline.document()
    good = [desk.keeper(document) for _ in range(5)]
    bad = desk.keeper(document)
    desk.until(lambda: all(keeper.refreshed and keeper.queue for keeper in desk.keepers))
    sql = {"restriction": "no_such_column = 1", "restricted_key_source": "SELECT subject_id FROM no_such_table"}
    bad.watch(Watch(dataclasses.replace(document, **{broken: sql[broken]}), SPEC, None, EVERY, EVERY, quiet=True))
    desk.until(lambda: bad.database or bad.refresh_problem)
    after = [looked_after(keeper) for keeper in good]
    desk.until(lambda: all(seen() for seen in after))
    assert all(keeper.database is None and keeper.refresh_problem is None for keeper in good)


def slow(document: ResolveDocument, pipeline: Pipeline, seconds: float) -> ResolveDocument:
    """Its key_source takes so long for each row."""
    condition = SLEEP[pipeline.server.backend] % seconds
    source = f"SELECT subject_id FROM ({document.key_source}) AS endless WHERE {condition}"
    return dataclasses.replace(document, key_source=source, restricted_key_source=source)


def test_a_key_source_that_never_ends_keeps_nobody_waiting(pipeline: Pipeline, desk: Desk) -> None:
    pipeline.add(1)
    endless = [desk.keeper(slow(pipeline.document(), pipeline, 10_000)) for _ in range(2)]
    good = [desk.keeper(pipeline.document()) for _ in range(3)]
    desk.until(lambda: all(keeper.refreshed for keeper in good))
    pipeline.add(2, 3)
    desk.until(lambda: all(keeper.queue is not None and keeper.queue.ready == 3 for keeper in good))
    assert not any(keeper.refreshed for keeper in endless)
    desk.login.close(0.1)
    working = WORKING[pipeline.server.backend]
    wait_until(lambda: not pipeline.server.execute(working), "the server does not work for them any more")


def test_a_server_that_does_harm_keeps_nobody_else_waiting(pipeline: Pipeline, desk: Desk) -> None:
    kind = HostileMySQL if pipeline.server.backend == "mysql" else HostilePostgreSQL
    good = desk.keeper(pipeline.document())
    servers = [kind(harm, 3) for harm in (silence, HARM[kind][0])]
    others = [Desk(server.settings) for server in servers]
    bad = [other.keeper(pipeline.document()) for other in others]
    for number in range(1, 6):
        pipeline.add(number)
        desk.until(lambda number=number: good.queue is not None and good.queue.ready == number, *others)
    desk.until(lambda: bad[1].refresh_problem is not None, *others)
    assert good.refresh_problem is None
    assert good.database is None
    for server, other in zip(servers, others, strict=True):
        server.close()
        other.login.close(0.0)


def test_one_that_becomes_slow_is_refreshed_among_the_slow(
    pipeline: Pipeline, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "REFRESHING", Limits(task=60.0, crowded=0.5, lock=5.0))
    desk.login = Login(pipeline.settings, lambda: None)
    good = desk.keeper(pipeline.document())
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.refreshed and good.refreshed)
    pipeline.add(1)
    desk.until(lambda: keeper.queue and keeper.queue.ready == 1)
    late = slow(pipeline.document(), pipeline, 1)
    keeper.watch(Watch(late, SPEC, None, EVERY, EVERY, quiet=True))
    before = keeper.refreshed
    keeper.refresh(late, SPEC)
    desk.until(lambda: keeper.refreshed is not before or keeper.refresh_problem)
    assert keeper.refresh_problem is None
    after = looked_after(good)
    desk.until(after)
    assert good.refresh_problem is None


def test_one_that_nobody_keeps_any_more_is_not_looked_at(pipeline: Pipeline, desk: Desk) -> None:
    keeper = desk.keeper(pipeline.document())
    desk.until(lambda: keeper.refreshed and keeper.queue)
    keeper.watch(None)
    pipeline.add(1)
    other = desk.keeper(pipeline.document())
    desk.until(lambda: other.queue and other.queue.ready)
    before = keeper.queue
    desk.until(looked_after(other))
    assert keeper.queue is before
