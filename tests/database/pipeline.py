"""A small DataJoint pipeline on a real server: what the queue works on, and what it did to it."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

import datajoint as dj
from populate_jobs import (
    Connection,
    DatabaseSettings,
    Holder,
    JobsTable,
    Reservation,
    ResolveDocument,
    connect,
    install,
    probe,
    reserve,
)
from populate_worker.resolving.describe import Request, describe

from tests.servers import Server

SUBJECT = {"Subject": "subject_id : int32\n---\nincluded=1 : int8"}
SCAN = "-> Subject\n---\nresult=0 : int32"

ANNA = Holder("anna.lab.test", 11, "anna", "1")
BERT = Holder("bert.lab.test", 22, "bert", "2")
OURS = ".lab.test"
"""How the hosts of both end."""

Row = dict[str, Any]
Login = dict[str, str]
Jobs = TypeVar("Jobs", bound=JobsTable)
Identity = tuple[Any, ...]


class Pipeline:
    """Manual tables, and a computed one whose jobs table is the queue, in a schema of their own."""

    def __init__(
        self,
        server: Server,
        schema: str,
        manual: Mapping[str, str] = SUBJECT,
        computed: str = SCAN,
        key_source: Callable[[Mapping[str, Any]], Any] | None = None,
    ) -> None:
        self.server = server
        self.schema = schema
        self.settings = settings(server)
        self.instance = datajoint(server)
        self.manual: dict[str, Any] = {}
        self._declare(manual, computed, key_source)
        self._admin = server.connect()
        self._sessions: list[Connection] = []
        self._documents: dict[str, ResolveDocument] = {}
        install(JobsTable(self.connect(), self.document()))

    def _declare(
        self, manual: Mapping[str, str], computed: str, key_source: Callable[[Mapping[str, Any]], Any] | None
    ) -> None:
        decorate = self.instance.Schema(self.schema)
        for name, definition in manual.items():
            table = type(name, (dj.Manual,), {"definition": definition})
            self.manual[name] = decorate(table, context={"dj": dj, **self.manual})
        members: dict[str, Any] = {"definition": computed, "make": lambda table, key: table.insert1(key)}
        if key_source:
            members["key_source"] = property(lambda table: key_source(self.manual))
        self.target: Any = decorate(type("Scan", (dj.Computed,), members), context={"dj": dj, **self.manual})
        self.jobs: Any = self.target.jobs
        self.attributes = tuple(self.jobs.primary_key)

    # -- sessions -----------------------------------------------------------------------------------------------------

    def document(self, restriction: str = "") -> ResolveDocument:
        if restriction not in self._documents:
            connection = connect(self.settings, name="resolve")
            self._documents[restriction] = describe(self.target, Request("lab.Scan", restriction), connection)
            connection.close()
        return self._documents[restriction]

    @overload
    def session(self, restriction: str = "", *, login: Login | None = None) -> JobsTable: ...
    @overload
    def session(self, restriction: str = "", kind: type[Jobs] = ..., *, login: Login | None = None) -> Jobs: ...
    def session(self, restriction: str = "", kind: Any = JobsTable, *, login: Login | None = None) -> Any:
        """The queue on a connection of its own, closed when the test ends; a `kind` may watch its statements."""
        jobs = kind(self.connect(**login or {}), self.document(restriction))
        probe(jobs)
        return jobs

    def connect(self, **login: str) -> Connection:
        connection = connect(settings(self.server, **login), name="test")
        self._sessions.append(connection)
        return connection

    def clear(self) -> None:
        """Closes the sessions that tests opened, and empties every table."""
        for connection in self._sessions:
            connection.close()
        self._sessions.clear()
        self.empty()

    def empty(self) -> None:
        for table in (self._jobs, self.attempts_table, self.document().target, *self._parents):
            self.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        self.clear()
        self._admin.close()
        self.instance.connection.close()

    # -- what is there ------------------------------------------------------------------------------------------------

    def add(self, *keys: Any, **secondary: Any) -> None:
        """Rows of the first manual table, by single value, tuple or dict."""
        next(iter(self.manual.values())).insert([{**self.key(key), **secondary} for key in keys])

    def make(self, *keys: Any) -> None:
        """What `make` would insert."""
        self.target.insert([dict(self.key(key)) for key in keys], allow_direct_insert=True)

    def enqueue(self, *keys: Any, due_in: float = 0.0, age: float = 0.0, **columns: Any) -> None:
        """Rows of the jobs table, pending unless told otherwise; times in seconds from now."""
        now = self.now()
        times = {"scheduled_time": now + seconds(due_in), "created_time": now - seconds(age)}
        self.insert([{**self.key(key), "status": "pending", "priority": 5, **times, **columns} for key in keys])

    def insert(self, rows: Sequence[Row]) -> None:
        """Rows of the jobs table, as they are."""
        if not rows:
            return
        columns = ", ".join(self.quoted(name) for name in rows[0])
        places = ", ".join(["%s"] * len(rows[0]))
        with self._admin.cursor() as cursor:
            sql = f"INSERT INTO {self._jobs} ({columns}) VALUES ({places})"
            cursor.executemany(sql, [tuple(row.values()) for row in rows])

    def change(self, *keys: Any, **columns: Any) -> None:
        """Columns of these rows of the jobs table, of all when none is named."""
        assignments = ", ".join(f"{self.quoted(name)} = %s" for name in columns)
        for key in [self.key(key) for key in keys] or [{}]:
            condition = " AND ".join(f"{self.quoted(name)} = %s" for name in key) or "1 = 1"
            args = [*columns.values(), *key.values()]
            self.execute(f"UPDATE {self._jobs} SET {assignments} WHERE {condition}", args)

    def rows(self) -> dict[Identity, Row]:
        """The whole jobs table, by key."""
        with self._admin.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._jobs}")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return {tuple(row[name] for name in self.attributes): row for row in rows}

    def row(self, key: Any) -> Row:
        return self.rows()[tuple(self.key(key).values())]

    def statuses(self) -> dict[Any, str]:
        """Status by key; by its value alone where the key has one attribute."""
        return {key[0] if len(key) == 1 else key: row["status"] for key, row in self.rows().items()}

    def attempts(self) -> list[int]:
        """Failed attempts of each key that has some."""
        return sorted(int(count) for (count,) in self.execute(f"SELECT attempts FROM {self.attempts_table}"))

    def now(self) -> datetime.datetime:
        now: datetime.datetime
        ((now,),) = self.execute("SELECT CAST(CURRENT_TIMESTAMP(3) AS " + self._timestamp + ")")
        return now

    def execute(self, sql: str, args: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """As the administrator, in a session that is none of the queue's."""
        with self._admin.cursor() as cursor:
            cursor.execute(sql, args)
            return list(cursor.fetchall()) if cursor.description else []

    def kill(self, connection: Connection) -> None:
        """Ends a session from the server's side."""
        mysql = self.server.backend == "mysql"
        self.execute(f"KILL {connection.id}" if mysql else f"SELECT pg_terminate_backend({connection.id})")

    def is_there(self, connection: Connection) -> bool:
        """Whether the server has this session."""
        table = {"mysql": "information_schema.processlist WHERE id", "postgresql": "pg_stat_activity WHERE pid"}
        return bool(self.execute(f"SELECT 1 FROM {table[self.server.backend]} = {connection.id}"))

    def key(self, key: Any) -> Row:
        if isinstance(key, Mapping):
            return {name: key[name] for name in self.attributes}
        return dict(zip(self.attributes, key if isinstance(key, tuple) else (key,), strict=True))

    def quoted(self, name: str) -> str:
        return f"`{name}`" if self.server.backend == "mysql" else f'"{name}"'

    @property
    def _jobs(self) -> str:
        return self.document().jobs

    @property
    def attempts_table(self) -> str:
        return f"{self.quoted(self.schema)}.{self.quoted('~populate_attempts')}"

    @property
    def _parents(self) -> list[str]:
        return [table().full_table_name for table in reversed(self.manual.values())]

    @property
    def _timestamp(self) -> str:
        return "DATETIME(3)" if self.server.backend == "mysql" else "TIMESTAMP(3)"


def settings(server: Server, **login: Any) -> DatabaseSettings:
    fields = {name: getattr(server, name) for name in ("host", "port", "user", "password", "backend", "database")}
    return DatabaseSettings(**{**fields, **login})


def datajoint(server: Server) -> dj.Instance:
    """A DataJoint connection of its own, as a person's workstation would have one."""
    database = {"database__name": server.database} if server.database else {}
    return dj.Instance(
        server.host, server.user, server.password, server.port, use_tls=False, backend=server.backend, **database
    )


def reserve_one(jobs: JobsTable, holder: Holder = ANNA) -> Reservation:
    """The one row there is to reserve."""
    (reservation,) = reserve(jobs, holder, 1)
    return reservation


def values(reservations: Sequence[Reservation]) -> list[Any]:
    """The keys' values, of keys with one attribute."""
    return [value for held in reservations for value in held.key.values()]


def seconds(number: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=number)
