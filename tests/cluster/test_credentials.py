"""Logins that change while operator and workers use them."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

from tests.database.users import user
from tests.servers.host import wait_until

from . import databases
from .lab import Lab

NEW_PASSWORD = "the-next-one"
ALL_RIGHTS = "ALL PRIVILEGES"
on_mariadb = pytest.mark.parametrize("database", [databases.NAMES[0]], indirect=True)


@on_mariadb
def test_a_password_that_is_changed_while_keys_are_made(lab: Lab) -> None:
    with user(lab, ALL_RIGHTS) as login:
        lab.log_in(**login)
        lab.add("wait", *["nap"] * 40)
        job = lab.apply(scaling={"maxWorkers": 2, "scaleDownDelaySeconds": 3600})
        lab.until_in_make(1, 2)
        workers = job.workers()
        lab.execute(f"ALTER USER '{login['user']}'@'%' IDENTIFIED BY '{NEW_PASSWORD}'")
        lab.log_in(user=login["user"], password=NEW_PASSWORD)
        lab.add(*["wait"] * 2, first=42)
        job.patch(scaling={"maxWorkers": 3})
        job.until_workers(lambda pods: len(pods) == 3, "with a worker more")
        lab.until_rows({1: "reserved", 42: "reserved", 43: "reserved"})
        assert workers.keys() < job.workers().keys()
        lab.release()
        lab.until_made(*range(1, 44))
        assert sorted(lab.started()) == list(range(1, 44))
        job.until(progress="43/43", error=0)
        job.delete()
        lab.until_nothing_is_left()


@on_mariadb
@pytest.mark.skipif(os.environ.get("POPULATE_DEEP") != "1", reason="a kubelet brings a Secret after a minute or two")
def test_workers_that_have_lost_their_sessions_wait_for_the_new_password(lab: Lab) -> None:
    with user(lab, ALL_RIGHTS) as login:
        lab.log_in(**login)
        lab.add("wait", "wait", "insert")
        job = lab.apply(scaling={"maxWorkers": 2}, retry={"limit": 3, "backoffSeconds": 1})
        lab.until_in_make(1, 2)
        workers = job.workers()
        lab.execute(f"ALTER USER '{login['user']}'@'%' IDENTIFIED BY '{NEW_PASSWORD}'")
        kill_sessions(lab, login["user"])
        job.until_condition("DatabaseReachable", "False", "LoginRefused")
        lab.log_in(user=login["user"], password=NEW_PASSWORD)
        job.until_condition("DatabaseReachable", "True", "Reachable")
        assert job.workers().keys() == workers.keys()
        lab.let(1, 2)
        lab.until_made(1, 2, 3)
        job.until(progress="3/3", error=0)
        job.delete()
        lab.until_nothing_is_left()


def kill_sessions(lab: Lab, name: str) -> None:
    for (number,) in lab.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{name}'"):
        with suppress(Exception):  # gone meanwhile
            lab.execute(f"KILL {number}")


@on_mariadb
def test_another_secret_with_another_login_to_the_same_server(lab: Lab) -> None:
    with user(lab, ALL_RIGHTS) as login:
        lab.log_in(name="other", **login)
        lab.add("wait", *["nap"] * 5)
        job = lab.apply(worker={"drainSeconds": 600})
        lab.until_in_make(1)
        old = job.workers().keys()
        job.patch(database={"secretRef": {"name": f"other-{lab.id}"}})
        job.until_workers(lambda pods: bool(pods.keys() - old), "with a new worker")
        wait_until(lambda: lab.made() == list(range(2, 7)), "all made by it but what the old one holds")
        assert job.condition("Resolved")["status"] == "True"
        lab.let(1)
        lab.until_made(*range(1, 7))
        assert sorted(lab.started()) == list(range(1, 7))
        job.until_workers(lambda pods: not pods.keys() & old, "without its old worker")
        job.until(progress="6/6", error=0)
        job.delete()
        lab.until_nothing_is_left()
