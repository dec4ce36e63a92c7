"""Which server answers, and whether its clock jumps twice a year."""

from __future__ import annotations

import datetime
from typing import Any

from populate_jobs import Connection, ServerIdentity
from populate_jobs.errors import DatabaseError

_SERVER_UUID = "SHOW VARIABLES LIKE 'server_uuid'"
_DESCRIBE_MYSQL = """
SELECT @@hostname, @@port, IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone), {local_times}
"""
# Rights that come by a role are not listed; then less is promised than could be.
_MAY_SEE_CONNECTIONS = """
SELECT COUNT(*) FROM information_schema.user_privileges
WHERE privilege_type = 'PROCESS' AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
"""
_SYSTEM_IDENTIFIER = "SELECT system_identifier FROM pg_control_system()"
_DESCRIBE_POSTGRESQL = """
SELECT oid, current_setting('TimeZone'), {local_times} FROM pg_database WHERE datname = current_database()
"""

_DAYLIGHT_SAVING = (
    "the server's session time zone {zone} has daylight saving: when its clock goes back, times in the jobs table "
    "repeat for an hour, and delays, back-offs and time-outs are an hour off; set the server's time zone to UTC"
)


def identify(connection: Connection, now: datetime.datetime) -> tuple[ServerIdentity, list[str]]:
    """The server's identity, and warnings about it."""
    if connection.backend == "mysql":
        identity, zone, local = _mysql(connection, _months(now))
        shows_connections = bool(connection.execute(_MAY_SEE_CONNECTIONS).rows[0][0])
    else:
        identity, zone, local = _postgresql(connection, _months(now))
        shows_connections = True
    offsets = {time - utc for time, utc in zip(local, _months(now), strict=True)}
    warnings = [_DAYLIGHT_SAVING.format(zone=zone)] if len(offsets) > 1 else []
    return ServerIdentity(connection.version, identity, zone, shows_connections), warnings


def _mysql(connection: Connection, months: list[datetime.datetime]) -> tuple[str, str, tuple[Any, ...]]:
    sql = _DESCRIBE_MYSQL.format(local_times=", ".join(["FROM_UNIXTIME(%s)"] * len(months)))
    ((host, port, zone, *local),) = connection.execute(sql, _epochs(months)).rows
    uuid = connection.execute(_SERVER_UUID).rows  # MariaDB has none
    return (uuid[0][1] if uuid else f"{host}:{port}"), zone, tuple(local)


def _postgresql(connection: Connection, months: list[datetime.datetime]) -> tuple[str, str, tuple[Any, ...]]:
    sql = _DESCRIBE_POSTGRESQL.format(local_times=", ".join(["to_timestamp(%s)::timestamp"] * len(months)))
    ((database, zone, *local),) = connection.execute(sql, _epochs(months)).rows
    try:
        ((server,),) = connection.execute(_SYSTEM_IDENTIFIER).rows
    except DatabaseError:  # hosted servers may forbid it
        server = f"{connection.settings.host}:{connection.settings.port}"
    return f"{server}/{database}", zone, tuple(local)


def _months(now: datetime.datetime) -> list[datetime.datetime]:
    """The middle of each month, in UTC: every daylight saving, even one of five weeks, shows at one of them."""
    return [datetime.datetime(now.year, month, 15, 12) for month in range(1, 13)]


def _epochs(months: list[datetime.datetime]) -> list[int]:
    return [int(month.replace(tzinfo=datetime.timezone.utc).timestamp()) for month in months]
