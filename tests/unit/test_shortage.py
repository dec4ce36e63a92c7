"""How servers say that they have no connection free."""

import pymysql
import pytest
from populate_jobs import mysql
from populate_jobs.shortage import is_shortage

TOO_MANY = pymysql.OperationalError(1040, "Zu viele Verbindungen")


@pytest.mark.parametrize(
    "error",
    [
        TOO_MANY,
        mysql.translate(TOO_MANY),
        pymysql.OperationalError(1226, "User 'a' has exceeded the 'max_user_connections' resource (current value: 2)"),
        pymysql.OperationalError(1203, "User a already has more than 'max_user_connections' active connections"),
        OSError('connection to server failed: FATAL:  too many connections for role "a"'),
        OSError("FATAL:  sorry, too many clients already"),
        OSError("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute"),
        OSError("FATAL:  no more connections allowed (max_client_conn)"),
    ],
)
def test_a_server_without_a_free_connection_is_told_by_what_it_says(error: Exception) -> None:
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [
        pymysql.OperationalError(2003, "Can't connect to MySQL server on 'db' ([Errno 111] Connection refused)"),
        pymysql.OperationalError(1045, "Access denied for user 'a'@'b'"),
        OSError("the connection is closed"),
    ],
)
def test_a_server_that_is_away_or_refuses_the_login_has_no_shortage(error: Exception) -> None:
    assert not is_shortage(error)
