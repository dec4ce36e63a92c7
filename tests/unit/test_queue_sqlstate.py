"""What an error of PostgreSQL is taken for, whichever driver it came through."""

import pytest
from populate_jobs.errors import (
    Contended,
    DatabaseError,
    DatabaseUnreachable,
    LockWaitedFor,
    LoginRefused,
    MissingGrant,
    TookTooLong,
)
from populate_jobs.sqlstate import meaning


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("08006", DatabaseUnreachable),
        ("57P01", DatabaseUnreachable),
        ("53300", DatabaseUnreachable),
        ("57014", TookTooLong),
        ("40P01", Contended),
        ("55P03", LockWaitedFor),
        ("28P01", LoginRefused),
        ("3D000", LoginRefused),
        ("42501", MissingGrant),
        ("22012", DatabaseError),
    ],
)
@pytest.mark.parametrize("of_connection", [True, False])
def test_a_state_says_what_it_is_whatever_the_words(state: str, kind: type[DatabaseError], of_connection: bool) -> None:
    found = meaning(state, "password authentication failed", of_connection=of_connection)
    assert (type(found), found.code) == (kind, state)
    assert str(found) == f"password authentication failed ({state})"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "lab"', LoginRefused),
        ("fe_sendauth: no password supplied", LoginRefused),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "lab"', LoginRefused),
        ('FATAL:  role "lab" does not exist', LoginRefused),
        ('FATAL:  role "lab" is not permitted to log in', LoginRefused),
        ('FATAL:  database "nope" does not exist', LoginRefused),
        ('FATAL:  permission denied for database "lab"', LoginRefused),
        ("FATAL:  sorry, too many clients already", DatabaseUnreachable),
        ("FATAL:  the database system is starting up", DatabaseUnreachable),
        ("server closed the connection unexpectedly", DatabaseUnreachable),
        ('could not translate host name "nope" to address', DatabaseUnreachable),
    ],
)
def test_an_error_of_the_connection_without_a_state_is_told_by_its_words(text: str, kind: type[DatabaseError]) -> None:
    assert type(meaning(None, text, of_connection=True)) is kind


def test_another_error_without_a_state_is_none_of_the_connection() -> None:
    assert type(meaning(None, "the query has 0 placeholders", of_connection=False)) is DatabaseError
