"""Compiled SQL: percent signs as they were written, and the tables it reads."""

import pytest
from datajoint.adapters import get_adapter
from datajoint.errors import DataJointError
from populate_worker.resolving.expressions import plain, tables_read


def test_percent_signs_stand_for_themselves():
    assert plain("SELECT a WHERE b like '50%%' and c = '%%s'") == "SELECT a WHERE b like '50%' and c = '%s'"


@pytest.mark.parametrize("sql", ["SELECT '50%'", "SELECT '%s'", "SELECT '%(name)s'"])
def test_a_percent_sign_that_datajoint_could_not_run_either_is_refused(sql):
    with pytest.raises(DataJointError, match="must be doubled"):
        plain(sql)


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT a FROM `lab`.`scan`", ["`lab`.`scan`"]),
        (
            "SELECT a FROM (SELECT a FROM `lab`.`scan`) as `$0` JOIN (`lab`.`b`) USING (a)",
            ["`lab`.`b`", "`lab`.`scan`"],
        ),
        ("SELECT a FROM `x`.`s` WHERE (a in (SELECT a from lab.cohort where n > 1))", ["`lab`.`cohort`", "`x`.`s`"]),
        ("SELECT a FROM `x`.`s` WHERE (a = 'it\\'s FROM `y`.`t`')AND(b = 'x''FROM `y`.`u`')", ["`x`.`s`"]),
        ("SELECT a FROM `x`.`s` LEFT JOIN `x`.`__m__p` USING (a)", ["`x`.`__m`", "`x`.`__m__p`", "`x`.`s`"]),
        ("SELECT a FROM `x`.`s` WHERE (extract(year from day) = 2024)", ["`x`.`s`"]),
    ],
)
def test_tables_are_read_off_the_sql_of_mysql(sql, tables):
    assert tables_read(sql, get_adapter("mysql")) == tuple(sorted(tables))


def test_tables_are_read_off_the_sql_of_postgresql():
    sql = (
        """SELECT "a" FROM "lab"."scan" WHERE (a = 'c:\\')AND(a in (SELECT a FROM lab.cohort))AND(b = 'FROM "x"."y"')"""
    )
    assert tables_read(sql, get_adapter("postgresql")) == ('"lab"."cohort"', '"lab"."scan"')
