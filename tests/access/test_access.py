"""Who may see what, and who did what."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.access.services import make_owner, record_event
from survey_site.stimuli.models import ImageSet, Network
from survey_site.studies.models import Study
from tests.builders import researcher, superuser

pytestmark = pytest.mark.django_db


def sets(*slugs: str) -> list[ImageSet]:
    return [ImageSet.objects.create(slug=slug, name=slug) for slug in slugs]


def test_people_see_what_they_hold_any_role_on_and_nothing_else() -> None:
    bea, cem = researcher("bea"), researcher("cem")
    mine, shared, _ = sets("mine", "shared", "others")
    make_owner(user=bea, of=mine)
    Membership.objects.create(user=cem, role=Role.VIEWER, content_object=shared)
    make_owner(user=bea, of=shared)
    assert [one.slug for one in ImageSet.objects.visible_to(bea).order_by("slug")] == ["mine", "shared"]
    assert [one.slug for one in ImageSet.objects.visible_to(cem)] == ["shared"]
    assert ImageSet.objects.visible_to(superuser()).count() == 3
    assert ImageSet.objects.visible_to(AnonymousUser()).count() == 0


def test_a_role_on_one_kind_of_thing_is_none_on_another_with_the_same_id() -> None:
    bea = researcher()
    (mine,) = sets("mine")
    Network.objects.create(pk=mine.pk, slug="net", name="Net", source="timm", architecture="x")
    Study.objects.create(pk=mine.pk, slug="study", name="Study")
    make_owner(user=bea, of=mine)
    assert Network.objects.visible_to(bea).count() == Study.objects.visible_to(bea).count() == 0


def test_owning_something_takes_one_row_and_raises_a_lesser_role() -> None:
    bea = researcher()
    (mine,) = sets("mine")
    Membership.objects.create(user=bea, role=Role.VIEWER, content_object=mine)
    for _ in range(2):
        make_owner(user=bea, of=mine)
    assert Membership.objects.get().role == Role.OWNER


def test_nobody_owns_what_a_command_made() -> None:
    (mine,) = sets("mine")
    make_owner(user=None, of=mine)
    make_owner(user=AnonymousUser(), of=mine)
    assert not Membership.objects.exists()


def test_the_database_knows_the_roles_and_one_for_each_person_and_thing() -> None:
    bea = researcher()
    (mine,) = sets("mine")
    with pytest.raises(IntegrityError, match="membership_role_is_known"), transaction.atomic():
        Membership.objects.create(user=bea, role="boss", content_object=mine)
    make_owner(user=bea, of=mine)
    with pytest.raises(IntegrityError, match="one_role_per_person_and_object"), transaction.atomic():
        Membership.objects.create(user=bea, role=Role.EDITOR, content_object=mine)


def test_an_event_outlives_the_person() -> None:
    bea = researcher()
    record_event(user=bea, action="export responses", subject="x" * 300, detail={"mode": "real"})
    record_event(user=None, action="open study", subject="Faces")
    bea.delete()
    first, second = AuditEvent.objects.order_by("pk")
    assert (first.user, first.action, len(first.subject), first.detail) == (
        None,
        "export responses",
        200,
        {"mode": "real"},
    )
    assert (second.user, second.detail) == (None, {})
