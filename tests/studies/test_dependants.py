"""What responses depend on is not deleted, and the refusal names the studies."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import ProtectedError

from survey_site.stimuli.models import IRI, ImageSet, Layer, Network, Recipe, TargetImage
from survey_site.studies.models import Condition, Study
from tests.builders import draft_study, finished_job, opened_study
from tests.participation.visitor import Visitor

pytestmark = pytest.mark.django_db

NEEDED = [Network, Layer, ImageSet, TargetImage, Recipe, IRI, Condition]


@pytest.fixture
def study() -> Study:
    study = opened_study(n=2, n_catch=0)
    for _ in range(2):
        Visitor().start()
    return study


@pytest.mark.parametrize("model", NEEDED)
def test_the_orm_names_the_study_and_its_sessions(study: Study, model: Any) -> None:
    row = model.objects.filter(**({"name": "pool"} if model is Layer else {}))[0]
    for delete in (row.delete, model.objects.filter(pk=row.pk).delete):
        with pytest.raises(ProtectedError) as refused:
            delete()
        assert refused.value.args[0] == (
            f"{model._meta.verbose_name} {row} cannot be deleted; what depends on it: "
            "study Faces (2 sessions)"
        )
    assert model.objects.filter(pk=row.pk).exists()


def test_a_study_names_its_versions(study: Study) -> None:
    with pytest.raises(ProtectedError, match=r"study Faces cannot be deleted; .*: Faces v1 \(2 sessions\)"):
        study.delete()


def test_a_draft_that_uses_it_is_named_too() -> None:
    draft_study(n=2)
    with pytest.raises(ProtectedError, match=r"study Faces \(no sessions\)"):
        Recipe.objects.get().delete()


def test_what_no_study_uses_says_what_is_in_the_way_and_what_nothing_uses_goes() -> None:
    job = finished_job(2)
    with pytest.raises(ProtectedError, match=r"network Net cannot be deleted; .*: 1 IRI job; 2 IRIs"):
        job.layer.network.delete()
    job.iris.all().delete()
    job.delete()
    Network.objects.all().delete()
    assert not Network.objects.exists()
