"""The design of an open study stays, whoever writes; a new version is made when it opens again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.forms import model_to_dict

from survey_site.participation.models import StudySession
from survey_site.studies.exclusion_services import set_rules
from survey_site.studies.models import (
    Condition,
    ExclusionRule,
    LabelIcon,
    Question,
    Study,
    StudyStatus,
    StudyText,
    StudyVersion,
)
from survey_site.studies.plans import planned_counts
from survey_site.studies.services import (
    StudyRefused,
    add_condition,
    close_study,
    open_study,
    pause_study,
    pilot_study,
)
from tests.builders import draft_study, icon_image_of, opened_study, version_of
from tests.participation.visitor import Visitor

pytestmark = pytest.mark.django_db

NO_DESIGN = {"id", "status", "revision", "created_by"}


@pytest.fixture
def study() -> Study:
    study = draft_study(n=2, n_catch=0)
    study.questions.create(name="age", kind="number", label="Age")
    study.icons.create(label="cat", image=icon_image_of("cat"))
    study.exclusion_rules.create(name="unfinished")
    open_study(study=study)
    study.refresh_from_db()
    return study


#: Another value for what is not free text or a number.
OTHER = {
    "confidence_levels": 3,
    "currency": "CHF",
    "mobile_policy": "block",
    "image_scaling": "whole",
    "withdrawal": "none",
    "recruiter": "prolific",
    "created_at": "2020-01-01T00:00Z",
    "base_pay": 9,
}


def other(name: str, value: Any) -> Any:
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 7 if value is None else f"{value}x"


def columns() -> list[str]:
    return [field.attname for field in Study._meta.concrete_fields if field.name not in NO_DESIGN]


def test_every_setting_but_who_comes_is_locked_while_it_is_open(study: Study) -> None:
    free, refusals = [], {}
    for name in columns():
        changed = other(name, getattr(study, name))
        try:
            with transaction.atomic():
                Study.objects.filter(pk=study.pk).update(**{name: changed})
            free.append(name)
        except IntegrityError as refusal:
            refusals[name] = str(refusal).partition("; ")[0]
    assert free == list(Study.EDITABLE_WHILE_OPEN)
    assert refusals == {
        name: f"study faces is open, so its {name} cannot change" for name in columns() if name not in free
    }


def test_a_stale_object_that_is_saved_changes_nothing_of_an_open_study(study: Study) -> None:
    stale = Study.objects.get(pk=study.pk)
    stale.status, stale.n_repeats = StudyStatus.PAUSED, 1
    with pytest.raises(IntegrityError, match="its n_repeats cannot change"), transaction.atomic():
        stale.save()
    study.refresh_from_db()
    assert (study.status, study.n_repeats) == (StudyStatus.OPEN, 0)


@pytest.mark.parametrize("model", [Condition, StudyText, Question, LabelIcon, ExclusionRule])
def test_no_row_of_its_design_is_changed_added_or_deleted(study: Study, model: Any) -> None:
    row = model.objects.get()
    name = {Condition: "slug", StudyText: "title", Question: "label", LabelIcon: "label"}.get(
        model, "position"
    )
    before = list(model.objects.values())
    writes: list[Any] = [
        lambda: model.objects.update(**{name: 9}),
        lambda: model.objects.all().delete(),
        lambda: model.objects.create(**_copy(row)),
        lambda: model.objects.all()._raw_delete("default"),
    ]
    for write in writes:
        with pytest.raises((IntegrityError, Exception)) as refused, transaction.atomic():
            write()
        assert "is open" in str(refused.value) or "cannot be deleted" in str(refused.value)
    assert list(model.objects.values()) == before
    pause_study(study=study)
    model.objects.update(**{name: 9})


def _copy(row: Any) -> dict[str, Any]:
    fields = {
        field.name: getattr(row, field.name) for field in row._meta.concrete_fields if field.name != "id"
    }
    new = {"slug": "new", "language": "de", "name": "side_bias", "label": "dog"}
    return {**fields, **{name: new[name] for name in new if name in fields}}


def test_a_row_cannot_be_moved_into_or_out_of_an_open_study(study: Study) -> None:
    draft = draft_study("other", slug="other")
    for rows, to in ((study.texts, draft), (draft.texts.filter(language="en"), study)):
        with pytest.raises(IntegrityError, match="study faces is open"), transaction.atomic():
            rows.update(study=to, language="fr")


def test_services_say_so_before_the_database_does(study: Study) -> None:
    condition = study.conditions.get()
    said = "study 'faces' is open; pause or close it before its design is changed"
    with pytest.raises(StudyRefused, match=said):
        add_condition(
            study=study, layer=condition.layer, recipe=condition.recipe, image_set=condition.image_set
        )
    with pytest.raises(StudyRefused, match=said):
        set_rules(study, [])


def test_sessions_under_way_keep_their_version(study: Study) -> None:
    visitor = Visitor()
    visitor.start()
    visitor.consent()
    pause_study(study=study)
    study.texts.update(title="Other")
    second = open_study(study=study)
    session = StudySession.objects.get()
    assert (session.version.number, second.number) == (1, 2)
    assert visitor.presentations()


def test_what_cannot_be_changed_back_is_counted_whoever_changes_it() -> None:
    study = draft_study(n=2)

    def revision() -> int:
        return Study.objects.values_list("revision", flat=True).get()

    stale = Study.objects.get()
    for write in (
        lambda: Study.objects.update(minutes=9),
        lambda: study.texts.update(title="New"),
        lambda: study.conditions.get().delete(),
        lambda: stale.save(),
    ):
        before = revision()
        write()
        assert revision() == before + 1
    before = revision()
    study.texts.update(title="New")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE studies_study SET minutes = minutes")
    assert revision() == before


def test_a_pilot_takes_pilots_alone_and_its_design_is_not_locked() -> None:
    study = draft_study(n=2, n_catch=0)
    version = pilot_study(study=study)
    study.refresh_from_db()
    assert (study.status, version.number) == (StudyStatus.PILOT, 1)
    info = Visitor().info().json()
    assert info["accepting"] is False
    assert Visitor().call("GET", "/api/studies/faces/?mode=pilot").json()["accepting"] is True
    assert Visitor().start().json()["code"] == "study_closed"
    assert Visitor().start(mode="pilot").status_code == 201
    study.texts.update(title="Better")
    assert pilot_study(study=study).number == 2
    assert open_study(study=study).number == 2
    assert Visitor().start().status_code == 201
    assert pilot_study(study=study).number == 2
    study.refresh_from_db()
    assert study.status == StudyStatus.OPEN
    assert set(StudySession.objects.values_list("mode", "version__number")) == {("pilot", 1), ("real", 2)}


def test_what_cannot_open_cannot_be_piloted() -> None:
    study = draft_study(n=2)
    study.texts.all().delete()
    with pytest.raises(StudyRefused, match="the study has no texts"):
        pilot_study(study=study)
    assert not StudyVersion.objects.exists()


def test_the_preregistration_is_part_of_the_version() -> None:
    address = "https://osf.io/abcde"
    study = opened_study(n=2, preregistration_url=address)
    assert version_of(study).settings["preregistration_url"] == address
    first = version_of(study).sha256
    close_study(study=study)
    Study.objects.update(preregistration_url="https://osf.io/other")
    assert open_study(study=study).sha256 != first


@pytest.mark.parametrize(
    ("n", "settings", "condition", "said"),
    [
        (1, {"n_catch": 0}, {}, "condition net-pool-reg_free: 1 trial makes no score that holds for other"),
        (
            5,
            {"n_catch": 0},
            {"format": "matching", "n_options": 4},
            "condition net-pool-reg_free: 1 trial makes no score that holds for other pictures; at least 2",
        ),
        (3, {"n_catch": 4}, {}, "4 catch trials and 3 main trials a participant: 57% would be catch trials"),
        (
            4,
            {"n_catch": 2, "trials_per_participant": 1},
            {},
            "2 catch trials and 1 main trials a participant",
        ),
        (3, {"n_catch": 0, "n_repeats": 4, "repeat_distance": 1}, {}, "at most 3 do"),
    ],
)
def test_a_study_that_cannot_be_analysed_does_not_open(
    n: int, settings: dict[str, Any], condition: dict[str, Any], said: str
) -> None:
    study = draft_study(n=n, **settings)
    study.conditions.update(**condition)
    with pytest.raises(StudyRefused, match=said):
        open_study(study=study)
    assert planned_counts(study)["main"] >= 1


def test_a_foil_that_is_the_target_is_no_foil() -> None:
    study = draft_study(n=3)
    for iri in study.conditions.get().iris()[:2]:
        iri.start_image = iri.target_resized
        iri.save()
    with pytest.raises(
        StudyRefused, match=r"no foil, since the start image is the target itself: 0\.png, 1\.png"
    ):
        open_study(study=study)


def test_the_form_of_model_values_is_whole() -> None:
    """Every column of a study is either free, locked, or no design: none is forgotten."""
    assert set(model_to_dict(Study())) <= {*columns(), *NO_DESIGN}


@pytest.mark.django_db(transaction=True)
def test_a_change_at_the_moment_of_opening_is_in_the_version_or_refused() -> None:
    study = draft_study(n=2, n_catch=0)
    barrier = Barrier(2)

    def change(number: int) -> bool:
        try:
            barrier.wait(60)
            study.texts.update(consent=f"Terms {number}.")
        except IntegrityError as refusal:
            if "study faces is open" not in str(refusal):
                raise
            return False
        finally:
            connection.close()
        return True

    def opened() -> str:
        try:
            barrier.wait(60)
            return str(open_study(study=study).texts["en"]["consent"])
        finally:
            connection.close()

    for number in range(6):
        with ThreadPoolExecutor() as pool:
            changed, consent = pool.submit(change, number), pool.submit(opened)
        assert (f"Terms {number}." in consent.result()) == changed.result()
        pause_study(study=study)
