"""The document and the refusal between the sentinels, from the printing side to the reading side."""

import dataclasses
import json

import pytest
from populate_jobs import Assignment, Attribute, ResolveDocument, RetryPolicy, ServerIdentity, WorkerSettings
from populate_jobs.document import BEGIN, END, PROTOCOL, read_output, refusal_to_json
from populate_jobs.errors import DocumentError, ResolveRefused

DOCUMENT = ResolveDocument(
    protocol=PROTOCOL,
    table="cardio.HeartRate",
    backend="mysql",
    schema="cardio",
    target="`cardio`.`__heart_rate`",
    jobs="`cardio`.`~~heart_rate`",
    primary_key=(Attribute("subject_id", "int"), Attribute("kind", "enum('it''s','50%')")),
    key_source="SELECT `subject_id`,`kind` FROM `cardio`.`recording`",
    restricted_key_source="SELECT `subject_id`,`kind` FROM `cardio`.`recording` WHERE (kind like '50%')",
    restriction="(kind like '50%')",
    upstream=("`cardio`.`recording`",),
    server=ServerIdentity("10.11", "host:3306", "Europe/Zürich"),
    versions={"datajoint": "2.3.5"},
    warnings=("the clock jumps",),
)


def printed(document: str) -> str:
    return f"importing...\n\n{BEGIN}\n{document}\n{END}\nclosing\n"


def test_a_document_is_read_as_it_was_printed_among_other_output():
    assert read_output(printed(DOCUMENT.to_json())) == DOCUMENT


def test_the_last_of_two_documents_counts():
    older = dataclasses.replace(DOCUMENT, table="cardio.Old")
    assert read_output(printed(older.to_json()) + printed(DOCUMENT.to_json())) == DOCUMENT


def test_a_refusal_is_raised_as_it_was_printed():
    refusal = ResolveRefused("TableNotFound", "cardio has no HeartRat", traceback="Traceback:\n  line")
    with pytest.raises(ResolveRefused, match=r"^cardio has no HeartRat$") as caught:
        read_output(printed(refusal_to_json(refusal)))
    assert (caught.value.reason, caught.value.traceback) == ("TableNotFound", "Traceback:\n  line")


def test_unknown_fields_of_a_newer_minor_version_are_passed_over():
    newer = {**json.loads(DOCUMENT.to_json()), "colour": "red"}
    newer["server"]["colour"] = newer["primary_key"][0]["colour"] = "red"
    assert ResolveDocument.from_json(json.dumps(newer)) == DOCUMENT


def test_unknown_settings_of_a_newer_operator_are_passed_over():
    assignment = Assignment(DOCUMENT, WorkerSettings(retry=RetryPolicy(limit=7)))
    newer = json.loads(assignment.to_json())
    newer["settings"]["colour"] = newer["settings"]["retry"]["colour"] = newer["colour"] = "red"
    assert Assignment.from_json(json.dumps(newer)) == assignment


@pytest.mark.parametrize("wrong", [{"settings": None}, {"settings": {"retry": []}}, {"document": []}, {"document": {}}])
def test_what_is_no_assignment_is_refused(wrong):
    assignment = {**json.loads(Assignment(DOCUMENT, WorkerSettings()).to_json()), **wrong}
    with pytest.raises(DocumentError):
        Assignment.from_json(json.dumps(assignment))


@pytest.mark.parametrize("field", ["protocol", "table", "primary_key", "server", "upstream"])
def test_a_missing_field_is_refused(field):
    data = {name: value for name, value in json.loads(DOCUMENT.to_json()).items() if name != field}
    with pytest.raises(DocumentError):
        read_output(printed(json.dumps(data)))


@pytest.mark.parametrize("protocol", [PROTOCOL + 1, PROTOCOL - 2, "1", None])
@pytest.mark.parametrize("text", [DOCUMENT.to_json(), refusal_to_json(ResolveRefused("X", "y"))])
def test_another_protocol_is_refused(protocol, text):
    with pytest.raises(DocumentError, match=f"protocol {protocol}; this side speaks {PROTOCOL}"):
        read_output(printed(json.dumps({**json.loads(text), "protocol": protocol})))


@pytest.mark.parametrize(
    "output",
    [
        "",
        "Killed",
        f"{BEGIN}\n" + DOCUMENT.to_json()[:40],
        f"{END}\n{BEGIN}",
        printed("[]"),
        printed(DOCUMENT.to_json()[:-1]),
        printed('{"protocol": 1, "refused": {"reason": "X"}}'),
        printed('{"protocol": 1, "refused": "X"}'),
    ],
)
def test_output_without_a_whole_document_is_refused(output):
    with pytest.raises(DocumentError):
        read_output(output)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", ["`cardio`.`__heart_rate`"]),
        ("jobs", "cardio.jobs"),
        ("upstream", "`cardio`.`recording`"),
        ("upstream", [{}]),
        ("warnings", [1]),
        ("server", {"version": "1", "identity": [], "time_zone": "UTC"}),
        ("primary_key", [{"name": 1, "type": "int"}]),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(field, value):
    data = {**json.loads(DOCUMENT.to_json()), field: value}
    with pytest.raises(DocumentError):
        read_output(printed(json.dumps(data)))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"protocol": ' + "9" * 100_000 + "}"], ids=["deep", "long"])
def test_what_json_cannot_bear_is_refused(text):
    with pytest.raises(DocumentError):
        read_output(printed(text))


@pytest.mark.parametrize("reason", ["not a word", "", "X" * 1000, {"a": 1}])
def test_a_refusal_for_no_reason_is_refused(reason):
    text = json.dumps({"protocol": PROTOCOL, "refused": {"reason": reason, "message": "m", "traceback": ""}})
    with pytest.raises(DocumentError):
        read_output(printed(text))
