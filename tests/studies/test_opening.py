"""Opening freezes what people see; what is missing is said, and what is frozen stays."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from survey_site.access.models import AuditEvent, Membership
from survey_site.participation.models import Participant, StudySession
from survey_site.stimuli import services as stimuli
from survey_site.stimuli.models import IRI
from survey_site.studies.models import (
    Condition,
    FrozenError,
    Study,
    StudyStatus,
    StudyVersion,
    Trial,
    TrialOption,
    TrialReference,
)
from survey_site.studies.plans import planned_counts
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.services import (
    StudyRefused,
    add_condition,
    close_study,
    create_study,
    icon_image,
    open_study,
    pause_study,
    study_from_jobs,
)
from tests.builders import (
    draft_study,
    encoded,
    finish,
    finished_job,
    opened_study,
    picture,
    queued_job,
    superuser,
    version_of,
)

pytestmark = pytest.mark.django_db


def test_a_new_study_is_a_draft_with_texts_owned_by_whoever_made_it() -> None:
    ada = superuser()
    study = create_study(slug="faces", name="Faces", created_by=ada, n_catch=0)
    assert (study.status, study.n_catch, study.texts.count()) == (StudyStatus.DRAFT, 0, 1)
    assert Membership.objects.get().content_object == study
    with pytest.raises(StudyRefused, match="study 'faces' exists already"):
        create_study(slug="faces", name="Other")


def test_a_condition_is_named_after_its_pair_and_recipe() -> None:
    job = finished_job(2)
    study = study_from_jobs(slug="faces", name="Faces", jobs=[job, job])
    assert list(study.conditions.values_list("slug", flat=True)) == [
        "net-pool-reg_free",
        "net-pool-reg_free-2",
    ]
    control = add_condition(
        study=study, layer=job.layer, recipe=job.recipe, image_set=job.image_set, shows="target"
    )
    assert control.slug == "net-pool-reg_free-target"


def test_opening_writes_the_version_with_its_trials() -> None:
    ada = superuser()
    study = draft_study(n=3, n_catch=2)
    assert planned_counts(study) == {
        "main": 3,
        "catch": 2,
        "practice": 0,
        "per_participant": 3,
        "repeats": 0,
        "left_over": 0,
    }
    version = open_study(study=study, opened_by=ada)
    study.refresh_from_db()
    assert (study.status, version.number, version.trials.count()) == (StudyStatus.OPEN, 1, 5)
    assert version.settings["image_px"] == 32
    assert version.settings["completion_code"] == study.completion_code != ""
    assert version.texts["en"]["instructions"].startswith("<p>Some pictures look like noise.")
    event = AuditEvent.objects.get()
    assert (event.user, event.action, event.subject, event.detail) == (
        ada,
        "open study",
        "Faces",
        {"version": 1},
    )
    for trial in version.trials.filter(kind="main"):
        (reference,) = trial.references.all()
        target, start = trial.options.order_by("index")
        assert reference.iri is not None
        assert (reference.image, reference.answer) == (reference.iri.image, target)
        assert (target.image, start.image) == (reference.iri.target_resized, reference.iri.start_image)


@pytest.mark.parametrize(("shows", "field"), [("target", "target_resized"), ("start", "start_image")])
def test_controls_show_the_target_or_the_start_image(shows: str, field: str) -> None:
    study = draft_study(n=2, n_catch=0)
    study.conditions.update(shows=shows)
    for trial in open_study(study=study).trials.all():
        reference = trial.references.get()
        assert reference.image == getattr(reference.iri, field)


def refusal(study: Study) -> str:
    before = StudyVersion.objects.count()
    with pytest.raises(StudyRefused) as refused:
        open_study(study=study)
    study.refresh_from_db()
    assert study.status == StudyStatus.DRAFT
    assert StudyVersion.objects.count() == before
    assert "; ".join(missing_for_opening(study)) == str(refused.value)
    return str(refused.value)


def test_a_study_without_conditions_cannot_open() -> None:
    assert refusal(create_study(slug="faces", name="Faces")) == "the study has no conditions"


def test_a_study_without_texts_cannot_open() -> None:
    study = draft_study()
    study.texts.all().delete()
    assert refusal(study) == "the study has no texts"


def test_a_pair_that_was_never_queued_is_named() -> None:
    study = draft_study()
    study.conditions.update(iri_seed=99)
    assert refusal(study) == (
        "condition net-pool-reg_free: no IRIs were queued for this pair, recipe and image set"
    )


def test_iris_that_are_not_finished_are_counted_by_what_they_are() -> None:
    job = queued_job(4)
    lease = stimuli.claim_chunk(
        worker=stimuli.announce_worker(name="w", host="h", device="cpu"), queue=job.queue
    )
    assert lease is not None
    first = job.iris.all()[0]
    IRI.objects.filter(pk=first.pk).update(status="failed")
    study = study_from_jobs(slug="faces", name="Faces", jobs=[job])
    assert refusal(study) == (
        "condition net-pool-reg_free: 4 of 4 IRIs are not finished (3 running, 1 failed)"
    )


def test_iris_that_all_failed_their_check_need_a_decision() -> None:
    job = finished_job_failing(3)
    study = study_from_jobs(slug="faces", name="Faces", jobs=[job])
    assert refusal(study) == (
        "condition net-pool-reg_free: all 3 IRIs failed their quality check "
        "(tick “include IRIs that failed” to show them all the same)"
    )
    study.conditions.update(include_failed=True)
    assert open_study(study=study).trials.filter(kind="main").count() == 3


def finished_job_failing(n: int) -> Any:
    return finish(queued_job(n), passed=False)


def test_images_of_two_sizes_are_refused() -> None:
    large = finish(queued_job(2, slug="large"), size=48)
    study = study_from_jobs(slug="faces", name="Faces", jobs=[finished_job(2), large])
    assert refusal(study) == "images of one study have one size, but the conditions have 32 px, 48 px"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "matching", "n_options": 5}, "matching of 5 needs at least 5 images, not 4"),
        ({"format": "matching", "n_options": 7}, "matching with 7 options; allowed: 2 to 6"),
        ({"format": "odd_one_out"}, "odd_one_out with 2 options; allowed: 3"),
        ({"n_options": 3}, "two_afc with 3 options; allowed: 2"),
        (
            {"format": "classification"},
            "classification needs a label for every image; without one: 0.png, 1.png, 2.png, 3.png",
        ),
    ],
)
def test_what_a_condition_s_format_lacks_is_said(changes: dict[str, Any], said: str) -> None:
    study = draft_study()
    study.conditions.update(**changes)
    assert refusal(study) == f"condition net-pool-reg_free: {said}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"n_practice": 2, "practice_pass": 3},
            "3 right answers are needed of 2 practice trials",
        ),
        (
            {"n_repeats": 3, "repeat_distance": 3},
            "3 repeats at a distance of 3 do not fit into 4 main trials; at most 2 do",
        ),
    ],
)
def test_what_the_plan_does_not_allow_is_said(settings: dict[str, Any], said: str) -> None:
    assert refusal(draft_study(**settings)) == said


def test_a_matching_condition_asks_about_several_iris_and_says_what_is_left_over() -> None:
    study = draft_study(n=7, n_catch=0)
    study.conditions.update(format="matching", n_options=3)
    assert (planned_counts(study)["main"], planned_counts(study)["left_over"]) == (2, 1)
    trial = open_study(study=study).trials.all()[0]
    references = list(trial.references.all())
    assert len({reference.iri_id for reference in references}) == len(references) == 3
    for reference in references:
        assert reference.iri is not None
        assert reference.answer.image == reference.iri.target_resized


def test_a_classification_offers_the_labels_of_the_set_with_their_icons() -> None:
    study = draft_study(n=3, n_catch=1)
    condition = study.conditions.get()
    for number, target in enumerate(condition.image_set.targets.all()):
        target.label = ("cat", "dog", "cat")[number]
        target.save()
    condition.format = "classification"
    condition.save()
    study.icons.create(label="dog", image=icon_image(encoded(picture(9, width=300, height=200))))
    version = open_study(study=study)
    assert version.settings["image_px"] == 32  # of the stimuli, not of the icons
    for trial in version.trials.all():
        cat, dog = trial.options.all()
        assert (cat.label, cat.image, dog.label) == ("cat", None, "dog")
        assert dog.image is not None
        assert (dog.image.width, dog.image.height) == (128, 85)
    labels = [
        trial.references.get().answer.label for trial in version.trials.filter(kind="main").order_by("number")
    ]
    assert sorted(labels) == ["cat", "cat", "dog"]


def test_everything_that_is_missing_is_said_at_once() -> None:
    study = draft_study("a", "b")
    study.conditions.update(iri_seed=99)
    study.texts.all().delete()
    assert refusal(study).count("; ") == 2


def test_opening_again_without_a_change_keeps_the_version() -> None:
    study = opened_study()
    close_study(study=study)
    assert open_study(study=study).number == 1
    study.refresh_from_db()
    assert study.status == StudyStatus.OPEN
    assert StudyVersion.objects.count() == 1


def change_setting(study: Study) -> None:
    Study.objects.update(fixation_ms=100)


def change_consent(study: Study) -> None:
    study.texts.update(consent="Other terms.")


def change_conditions(study: Study) -> None:
    study.conditions.filter(slug__startswith="b-").update(include_failed=True)


def add_language(study: Study) -> None:
    text = study.texts.get()
    text.pk, text.language = None, "de"
    text.save()


@pytest.mark.parametrize("change", [change_setting, change_consent, change_conditions, add_language])
def test_a_change_makes_a_new_version_and_the_old_one_stays(change: Any) -> None:
    study = opened_study("a", "b", n=2)
    first = version_of(study)
    trials = list(first.trials.values_list("pk", flat=True))
    pause_study(study=study)
    change(study)
    second = open_study(study=study)
    assert (second.number, second.sha256 != first.sha256) == (2, True)
    assert list(first.trials.values_list("pk", flat=True)) == trials


def test_the_hash_knows_content_and_no_database_ids() -> None:
    """The same study, built after other rows and in another order, has the same hash and the same trials."""

    def build(slugs: list[str]) -> tuple[str, list[Any]]:
        jobs = [finished_job(3, slug=slug) for slug in slugs]
        study = study_from_jobs(slug="faces", name="Faces", jobs=jobs, completion_code="X")
        version = open_study(study=study)
        images = version.trials.order_by("number").values_list("references__image__sha256", flat=True)
        return version.sha256, list(images)

    class Undo(Exception):
        pass

    hashes = []
    for slugs in (["a", "b"], ["b", "a"]):
        try:
            with transaction.atomic():
                hashes.append(build(slugs))
                raise Undo
        except Undo:
            draft_study(f"other-{len(hashes)}", slug=f"other-{len(hashes)}")  # moves every sequence on
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("model", [StudyVersion, Trial, TrialOption, TrialReference])
def test_frozen_rows_refuse_every_change(model: Any) -> None:
    opened_study()
    row = model.objects.first()
    with pytest.raises(FrozenError, match="is frozen; open a new version of the study"):
        row.save()
    field = {StudyVersion: "number", Trial: "number"}.get(model, "index")
    with pytest.raises(IntegrityError, match="is frozen"), transaction.atomic():
        model.objects.filter(pk=row.pk).update(**{field: 77})
    with (
        pytest.raises(IntegrityError, match="is frozen"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE {model._meta.db_table} SET id = id")  # noqa: S608 - a table's name
    assert not model.objects.filter(**{field: 77}).exists()


def test_what_people_saw_cannot_be_deleted() -> None:
    study = opened_study()
    version = version_of(study)
    StudySession.objects.create(
        participant=Participant.objects.create(), study=study, version=version, token_hash="t", rng_seed=0
    )
    for row in (version, study, study.conditions.get()):
        with pytest.raises(ProtectedError):
            row.delete()
    assert version.trials.count() == 6


def test_iris_and_networks_that_were_shown_cannot_be_deleted() -> None:
    study = opened_study()
    layer = study.conditions.get().layer
    for row in (IRI.objects.all()[0], layer.network, layer):
        with pytest.raises(ProtectedError):
            row.delete()


def test_a_condition_that_people_saw_keeps_its_meaning() -> None:
    study = opened_study()
    condition = study.conditions.get()
    condition.include_failed = True  # what enters the next version may change
    condition.full_clean()
    condition.iri_seed, condition.layer = 7, condition.layer.network.layers.get(name="fc")
    with pytest.raises(ValidationError) as refused:
        condition.full_clean()
    message = (
        "condition net-pool-reg_free is part of an opened study, so its layer, iri_seed cannot change; "
        "add another condition"
    )
    assert refused.value.message_dict == {"layer": [message], "iri_seed": [message]}
    fresh = Condition(study=study, slug="new", layer=condition.layer, recipe=condition.recipe,
                      image_set=condition.image_set)  # fmt: skip
    fresh.full_clean()


def test_pausing_and_closing_are_recorded_and_can_be_taken_back() -> None:
    study = opened_study()
    for change, status in ((pause_study, "paused"), (close_study, "closed"), (open_study, "open")):
        change(study=study)
        study.refresh_from_db()
        assert study.status == status
        assert study.is_accepting() == (status == "open")
    assert set(AuditEvent.objects.values_list("action", flat=True)) == {
        "open study", "paused study", "closed study",
    }  # fmt: skip


def test_a_draft_has_nothing_to_pause_or_close() -> None:
    study = draft_study()
    for change, word in ((pause_study, "paused"), (close_study, "closed")):
        with pytest.raises(StudyRefused, match=f"study 'faces' never opened, so it cannot be {word}"):
            change(study=study)
    study.refresh_from_db()
    assert study.status == StudyStatus.DRAFT


@pytest.mark.parametrize(
    ("format", "n_options", "allowed"),
    [
        ("two_afc", 3, "2"),
        ("matching", 7, "2 to 6"),
        ("odd_one_out", 2, "3"),
        ("classification", 17, "2 to 16"),
    ],
)
def test_a_condition_is_not_saved_with_options_that_its_format_does_not_have(
    format: str, n_options: int, allowed: str
) -> None:
    condition = draft_study(n=2).conditions.get()
    condition.format, condition.n_options = format, n_options
    with pytest.raises(ValidationError, match=f"{format} with {n_options} options; allowed: {allowed}"):
        condition.clean()
