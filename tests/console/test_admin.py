"""The admin: every page answers, buttons and actions do what they say, and looking changes nothing."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.access.tokens import make_token
from survey_site.analysis.exclusion_services import exclude_session
from survey_site.stimuli import services
from survey_site.stimuli.models import (
    IRI,
    ImageSet,
    IRIChunk,
    IRIJob,
    IRIStatus,
    Layer,
    Network,
    Recipe,
    Worker,
)
from survey_site.studies.models import Study, StudyStatus
from survey_site.studies.services import pause_study
from tests.builders import (
    NO_SHARING,
    claim,
    draft_study,
    finish,
    finished_job,
    image_set,
    logged_in,
    member,
    network,
    opened_study,
    png,
    queued_job,
    researcher,
    superuser,
)
from tests.participation.visitor import Visitor, response, running

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def url(model: Any, page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def said(answer: Any) -> list[str]:
    """The messages that the page after this answer shows."""
    return [str(message) for message in get_messages(answer.wsgi_request)]


@pytest.fixture
def ada() -> User:
    return superuser()


@pytest.fixture
def client(ada: User) -> Client:
    return logged_in(ada)


@pytest.fixture
def lived_in(ada: User) -> None:
    """At least one row of every model, in several states."""
    study = opened_study(n=3)
    visitor = running()
    visitor.log(response(1, visitor.presentations()[0]))
    exclude_session(visitor.session, reason="a <b>colleague</b>")
    queued_job(2, slug="waiting")
    queued_job(2, slug="failing")
    lease = claim()
    services.heartbeat(
        lease=lease, progress={"step": 1, "steps": 4, "relative_error": None, "seconds_left": 3.0}
    )
    services.fail_chunk(lease=claim(), reason="Traceback <b>odd</b>", can_pass=False)
    services.register_network(
        slug="pending", name="Pending", source="timm", architecture="x", random_seed=1, created_by=ada
    )
    Membership.objects.create(user=ada, role="owner", content_object=study)
    Group.objects.create(name="lab")
    make_token(user=ada, name="notebook", scopes=["read"])


def test_every_page_of_every_model_answers(client: Client, lived_in: None, subtests: pytest.Subtests) -> None:
    for model in MODELS:
        with subtests.test(model._meta.label):
            check_pages(client, model)


def check_pages(client: Client, model: Any) -> None:
    rows = model._default_manager.all()
    assert rows
    assert client.get(url(model, "changelist")).status_code == 200
    assert client.get(url(model, "changelist"), {"q": "a"}).status_code == 200
    for row in rows[:6]:
        assert client.get(url(model, "change", row.pk)).status_code == 200, row
        assert client.get(url(model, "history", row.pk)).status_code == 200
    may_add = admin.site._registry[model].has_add_permission(client.get("/admin/").wsgi_request)
    assert client.get(url(model, "add")).status_code == (200 if may_add else 403)


def test_every_room_shows_its_rows_in_the_admin() -> None:
    shown = {model._meta.label for model in MODELS}
    assert shown >= {
        "stimuli.Network", "stimuli.Layer", "stimuli.ImageSet", "stimuli.IRIJob", "stimuli.IRI",
        "stimuli.Recipe", "stimuli.Worker", "studies.Study", "participation.StudySession",
        "access.Membership", "access.AuditEvent",
    }  # fmt: skip


def test_the_overview_counts_and_links(client: Client, lived_in: None) -> None:
    page = client.get("/admin/").content.decode()
    assert "<strong>3</strong> IRIs found" in page
    assert 'href="/admin/results/faces/"' in page
    assert client.get("/").url == "/admin/"  # type: ignore[attr-defined]


def test_the_anonymous_see_nothing_of_the_admin(lived_in: None) -> None:
    anonymous = Client()
    image = IRI.objects.done()[0].image
    assert image is not None
    pages = [
        "/admin/",
        reverse("admin-image", args=[image.pk]),
        *(url(model, "changelist") for model in MODELS),
    ]
    for page in pages:
        assert anonymous.get(page)["Location"].startswith("/admin/login/"), page


def test_another_researcher_sees_no_study_session_network_or_set_of_others(lived_in: None) -> None:
    bea = logged_in(researcher())
    for label in ("studies.Study", "participation.StudySession", "stimuli.Network", "stimuli.ImageSet"):
        model: Any = apps.get_model(label)
        row = model._default_manager.all()[0]
        page = bea.get(url(model, "changelist"))
        assert page.status_code == 200
        assert page.context["cl"].result_count == 0
        assert bea.get(url(model, "change", row.pk)).status_code == 302  # "does not exist", back to the start


def test_an_iri_is_shown_with_its_images_and_figures(client: Client) -> None:
    finish(queued_job(1))
    iri = IRI.objects.get()
    page = client.get(url(IRI, "change", iri.pk)).content.decode()
    for image in (iri.image, iri.start_image, iri.target_resized):
        assert image is not None
        address = reverse("admin-image", args=[image.pk])
        assert address in page
        answer = client.get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert b"".join(answer.streaming_content) == image.file.read()  # type: ignore[attr-defined]
    assert "Relative error: 0.100" in page
    assert "Cosine: 0.990" in page
    assert "cat → cat" in page
    assert "relative error falls from 1.000 to 0.100 in 3 steps" in page


def test_what_a_worker_wrote_is_shown_as_text(client: Client, lived_in: None) -> None:
    job = IRIJob.objects.get(layer__network__slug="failing")
    page = client.get(url(IRIJob, "change", job.pk)).content.decode()
    assert "Traceback &lt;b&gt;odd&lt;/b&gt;" in page


# Queueing pairs ------------------------------------------------------------------------------------------


def queue_form(*layers: Layer, **changes: object) -> dict[str, Any]:
    given: dict[str, Any] = {
        "action": "queue_pairs",
        "_selected_action": [layer.pk for layer in layers],
        "queue_now": "1",
        "preset": "reg_free",
        "image_size": "64",
        "steps": "9",
        "rng_seed": "5",
        "priority": "2",
        "queue": "iri.cpu",
        "image_set": ImageSet.objects.get().pk,
    }
    return {**given, **changes}


def test_the_action_asks_and_then_queues(client: Client, ada: User) -> None:
    layers = list(network().layers.all())[:2]
    image_set(3)
    asked = client.post(
        url(Layer, "changelist"),
        {"action": "queue_pairs", "_selected_action": [layer.pk for layer in layers]},
    )
    assert asked.status_code == 200
    assert "IRIs of every image of the set are searched for at" in asked.content.decode()
    assert not IRIJob.objects.exists()
    queued = client.post(url(Layer, "changelist"), queue_form(*layers))
    assert queued["Location"] == url(IRIJob, "changelist")
    assert said(queued) == ["2 jobs queued."]
    assert {(job.rng_seed, job.priority, job.created_by) for job in IRIJob.objects.all()} == {(5, 2, ada)}
    assert (Recipe.objects.get().load().image_size, Recipe.objects.get().load().steps) == (64, 9)
    assert IRI.objects.count() == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": "0"}, "steps is 0; allowed: a whole number from 1 to 100000"),
        ({"image_size": "7"}, "image_size is 7; allowed:"),
        ({"rng_seed": "9" * 30}, "less than or equal to 9223372036854775807"),
        ({"priority": "99999999999"}, "less than or equal to 1000"),
        ({"image_set": "77"}, "not one of the available choices"),
        ({"preset": "magic"}, "magic is not one of the available choices"),
    ],
)
def test_a_form_that_cannot_be_queued_says_why(
    client: Client, changes: dict[str, object], message: str
) -> None:
    made = network()
    image_set(1)
    page = client.post(url(Layer, "changelist"), queue_form(*made.layers.all(), **changes))
    assert page.status_code == 200
    assert message in page.content.decode()
    assert not IRIJob.objects.exists()


def test_a_refused_queueing_is_said_on_the_form(client: Client) -> None:
    made = network()
    ImageSet.objects.create(slug="empty", name="Empty")
    page = client.post(url(Layer, "changelist"), queue_form(*made.layers.all()))
    assert "image set &#x27;empty&#x27; has no images; import some first" in page.content.decode()


def test_pairs_are_queued_by_those_with_whom_network_and_images_are_shared() -> None:
    made, photos = network(), image_set(1)
    only_images = logged_in(member(Role.OWNER, photos))
    only_images.post(url(Layer, "changelist"), queue_form(*made.layers.all()))
    only_network = logged_in(member(Role.EDITOR, made))
    page = only_network.post(url(Layer, "changelist"), queue_form(*made.layers.all())).content.decode()
    assert "not one of the available choices" in page
    assert not IRIJob.objects.exists()
    both = logged_in(member(Role.VIEWER, made, photos))
    assert both.post(url(Layer, "changelist"), queue_form(*made.layers.all())).status_code == 302
    assert IRIJob.objects.count() == made.layers.count()


def test_a_job_is_steered_by_whoever_queued_it_or_edits_its_network() -> None:
    job = queued_job(2)
    things = job.layer.network, job.image_set
    viewer = logged_in(member(Role.VIEWER, *things))
    for action in ("pause", "cancel", "requeue"):
        answer = viewer.post(url(IRIJob, "changelist"), {"action": action, "_selected_action": [job.pk]})
        assert "is steered by whoever queued it, or by an editor of its network" in " ".join(said(answer))
    stranger = logged_in(researcher())
    stranger.post(url(IRIJob, "changelist"), {"action": "cancel", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert (job.paused, job.cancelled_at) == (False, None)
    editor = logged_in(member(Role.EDITOR, *things))
    editor.post(url(IRIJob, "changelist"), {"action": "pause", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert job.paused


def test_jobs_are_paused_resumed_cancelled_and_queued_again(client: Client) -> None:
    job = queued_job(2)

    def act(name: str) -> str:
        answer = client.post(url(IRIJob, "changelist"), {"action": name, "_selected_action": [job.pk]})
        job.refresh_from_db()
        return said(answer)[-1]

    assert act("pause") == "1 jobs paused; workers give their chunks back within seconds."
    assert job.paused
    assert act("resume") == "1 jobs resumed."
    assert not job.paused
    assert act("cancel") == "1 jobs cancelled."
    assert set(job.iris.values_list("status", flat=True)) == {IRIStatus.CANCELLED}
    assert act("pause") == (
        "0 jobs paused; workers give their chunks back within seconds. 1 had ended or were paused already."
    )
    assert act("requeue") == f"Queued again for what is missing: job {IRIJob.objects.latest('pk').pk}."
    assert IRIJob.objects.latest("pk") != job
    assert IRIChunk.objects.claimable().count() == 1


def test_whoever_logs_in_comes_to_the_overview() -> None:
    User.objects.create_superuser("eve", password="a password for a test")
    given = {"username": "eve", "password": "a password for a test"}
    answer = Client().post("/admin/login/", given)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_a_priority_is_set_beside_the_action(client: Client) -> None:
    job = queued_job(1)
    given = {"action": "set_priority", "_selected_action": [job.pk]}
    for odd in ("", "5000", "high"):
        refused = client.post(url(IRIJob, "changelist"), {**given, "priority": odd})
        assert said(refused)[-1] == "Type a priority from -1000 to 1000 beside the action."
    answer = client.post(url(IRIJob, "changelist"), {**given, "priority": "7"})
    assert said(answer)[-1] == "1 jobs have priority 7 now."
    assert IRIJob.objects.get().priority == 7


def test_a_jobs_page_shows_errors_in_full_open_chunks_and_the_history(client: Client, settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    job = queued_job(3)
    services.fail_chunk(lease=claim(), reason="Traceback: <odd> " + "long " * 40, can_pass=False)
    services.heartbeat(
        lease=claim(), progress={"step": 3, "steps": 9, "relative_error": 1, "seconds_left": 2}
    )
    page = client.get(url(IRIJob, "change", job.pk)).content.decode()
    assert "Traceback: &lt;odd&gt; " + "long " * 39 in page
    assert "2 in all" in page
    assert "4 changes" in page
    assert "<td>1</td>\n        <td>3 of 9</td>" in page  # the attempt, then the step


def test_a_job_that_cannot_be_queued_again_says_why(client: Client) -> None:
    job = queued_job(1)
    services.cancel_job(job=job)
    facts = {"resnet34": {"input_size": 224, "mean": [], "std": [], "pretrained": False}}
    services.announce_worker(name="w", host="", device="cpu", queues=[], architectures={"torchvision": facts})
    answer = client.post(url(IRIJob, "changelist"), {"action": "requeue", "_selected_action": [job.pk]})
    assert "no worker can build 'resnet18' of torchvision; nearest: resnet34" in said(answer)[-1]


def test_the_workers_page_says_what_each_does(client: Client) -> None:
    finished_job(5)
    queued_job(1, slug="other")
    lease = claim()
    services.heartbeat(lease=lease, progress={"step": 3, "steps": 9})
    services.announce_worker(
        name="iri@gpu", host="g", device="cuda:0", memory_bytes=80 * 2**30, queues=["iri.gpu", "iri.gpu.8g"]
    )
    page = client.get(url(Worker, "changelist")).content.decode()
    for words in ("Other · pool", "step 3 of 9", ">0.5<", "80 GiB", "works", "waits", " s ago"):
        assert words in page, words
    services.note_trouble(worker=Worker.objects.get(name="iri@gpu"), trouble="the image store: full")
    page = client.get(url(Worker, "changelist")).content.decode()
    assert "in trouble" in page
    assert "the image store: full" in page


# Networks and image sets ---------------------------------------------------------------------------------


def network_form(**changes: object) -> dict[str, object]:
    given: dict[str, object] = {
        "name": "Net", "slug": "net", "source": "torchvision", "architecture": "resnet18",
        "num_classes": "1000", "is_residual": "unknown", "mean": "", "std": "",
        "layers-TOTAL_FORMS": "0", "layers-INITIAL_FORMS": "0",
    }  # fmt: skip
    return {**given, **changes}


def test_a_network_is_registered_for_inspection(client: Client, ada: User) -> None:
    answer = client.post(url(Network, "add"), network_form(random_seed="3", epsilon="0.5"))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Network.objects.get()
    assert (made.state, made.random_seed, made.epsilon) == ("pending", 3, 0.5)
    assert Membership.objects.get().user == ada
    assert any("A worker is inspecting the network" in message for message in said(answer))


def test_weights_over_the_web_are_safetensors_alone(client: Client) -> None:
    pickle = SimpleUploadedFile("evil.pt", b"x")
    page = client.post(url(Network, "add"), network_form(weights=pickle))
    assert page.status_code == 200
    assert "evil.pt: only .safetensors files are taken here" in page.content.decode()
    neither = client.post(url(Network, "add"), network_form())
    assert "Give exactly one of: a weights file" in neither.content.decode()
    good = SimpleUploadedFile("good.safetensors", b"x")
    assert client.post(url(Network, "add"), network_form(weights=good)).status_code == 302
    assert Network.objects.get().weights.read() == b"x"


def test_what_was_built_stays_and_factors_may_be_corrected(client: Client) -> None:
    made = network()
    changed = network_form(architecture="resnet50", random_seed="9", family="ResNet", training_loss="trades")
    changed |= {"layers-TOTAL_FORMS": "0", **NO_SHARING}
    assert client.post(url(Network, "change", made.pk), changed).status_code == 302
    made.refresh_from_db()
    assert (made.architecture, made.random_seed, made.slug) == ("resnet18", 0, "net")
    assert (made.family, made.training_loss) == ("ResNet", "trades")
    assert made.layers.count() == 3


def test_a_new_set_says_what_may_be_done_with_it_and_then_takes_images(client: Client) -> None:
    form = {"name": "Photos", "slug": "photos", "licence": "", "source": ""}
    page = client.post(url(ImageSet, "add"), form)
    assert page.context["adminform"].form.errors.keys() == {"licence", "source"}
    answer = client.post(url(ImageSet, "add"), {**form, "licence": "CC0-1.0", "source": "our camera"})
    assert answer["Location"] == reverse("image-upload", args=["photos"])
    assert client.get(answer["Location"]).status_code == 200
    made = ImageSet.objects.get()
    assert (made.licence, made.source) == ("CC0-1.0", "our camera")


def test_what_a_set_said_of_its_licence_is_not_taken_back(client: Client) -> None:
    made = image_set(1)
    ImageSet.objects.update(licence="CC0-1.0")
    form = {"name": "Photos", "slug": made.slug, "licence": "", "source": "", **NO_SHARING}
    page = client.post(url(ImageSet, "change", made.pk), form)
    assert page.context["adminform"].form.errors.keys() == {"licence"}


def test_the_list_of_sets_counts_what_each_has_whatever_is_searched_for(client: Client) -> None:
    made = image_set(3)
    made.targets.filter(name="0.png").update(label="cat")
    page = client.get(url(ImageSet, "changelist"), {"q": "cat"})
    (row,) = page.context["cl"].result_list
    assert (row.n_targets, row.n_labels, len(row.shown)) == (3, 1, 3)
    assert reverse("admin-thumbnail", args=[row.shown[0].image_id]) in page.content.decode()
    for labels, n in (("yes", 1), ("no", 0)):
        assert client.get(url(ImageSet, "changelist"), {"labels": labels}).context["cl"].result_count == n


# Studies -------------------------------------------------------------------------------------------------


def study_form(study: Study, button: str, **changes: object) -> dict[str, object]:
    """The study's form as it stands, sent with a button of its submit line."""
    client = logged_in(User.objects.get(username="ada"))
    page = client.get(url(Study, "change", study.pk))
    given: dict[str, object] = {}
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for bound in form:
            if bound.value() is not None and bound.value() is not False:
                given[bound.html_name] = bound.value()
    return {**given, f"studies_study_{button}": "1", **changes}


def test_a_study_opens_pauses_and_closes_by_its_buttons(client: Client, ada: User) -> None:
    study = draft_study(n=2)
    page = url(Study, "change", study.pk)
    for button, status in (("open_now", "open"), ("pause_now", "paused"), ("close_now", "closed")):
        answer = client.post(page, study_form(study, button))
        assert answer.status_code == 302, answer.context["errors"]
        study.refresh_from_db()
        assert study.status == status
    assert list(AuditEvent.objects.order_by("pk").values_list("user", "action")) == [
        (ada.pk, "open study"), (ada.pk, "paused study"), (ada.pk, "closed study"),
    ]  # fmt: skip


def test_what_was_changed_on_the_form_is_part_of_what_opens(client: Client) -> None:
    study = draft_study(n=2)
    changed = study_form(
        study,
        "open_now",
        **{"n_catch": 1, "texts-0-consent": "Brand new terms.", "conditions-0-include_failed": "on"},
    )
    assert client.post(url(Study, "change", study.pk), changed).status_code == 302
    version = study.current_version
    assert version is not None
    assert version.settings["n_catch"] == 1
    assert version.settings["conditions"][0]["include_failed"] is True
    assert "Brand new terms." in version.texts["en"]["consent"]


def test_a_study_that_cannot_open_says_what_is_missing_and_keeps_what_was_typed(client: Client) -> None:
    study = draft_study(n=2)
    study.conditions.update(iri_seed=4)
    answer = client.post(url(Study, "change", study.pk), study_form(study, "open_now", name="Better name"))
    study.refresh_from_db()
    assert (study.status, study.name) == (StudyStatus.DRAFT, "Better name")
    assert any("The study cannot open: condition net-pool-reg_free" in message for message in said(answer))


def test_nothing_opens_pauses_or_closes_by_looking(client: Client) -> None:
    study = draft_study(n=2)
    for button in ("open_now", "pause_now", "close_now"):
        for query in ({f"studies_study_{button}": "1"}, {button: "1"}):
            client.get(url(Study, "change", study.pk), query)
        assert client.get(f"/admin/studies/study/{study.pk}/{button}/").status_code in (302, 404)
    study.refresh_from_db()
    assert study.status == StudyStatus.DRAFT
    assert not AuditEvent.objects.exists()


def test_a_condition_that_people_saw_cannot_be_given_another_meaning(client: Client) -> None:
    study = opened_study(n=2)
    pause_study(study=study)
    answer = client.post(
        url(Study, "change", study.pk), study_form(study, "open_now", **{"conditions-0-iri_seed": 9})
    )
    assert answer.status_code == 200
    assert "is part of an opened study, so its iri_seed cannot change" in answer.content.decode()
    assert study.conditions.get().iri_seed == 0


def test_a_condition_or_study_that_people_saw_cannot_be_deleted(client: Client) -> None:
    study = opened_study(n=2)
    pause_study(study=study)
    deleted = client.post(
        url(Study, "change", study.pk), study_form(study, "open_now", **{"conditions-0-DELETE": "on"})
    )
    assert deleted.status_code == 200
    client.post(url(Study, "delete", study.pk), {"post": "yes"})
    assert Study.objects.get().conditions.count() == 1


def test_a_new_study_has_texts_and_belongs_to_whoever_made_it(client: Client, ada: User) -> None:
    page = client.get(url(Study, "add"))
    given = {
        bound.html_name: bound.value()
        for bound in page.context["adminform"].form
        if bound.value() is not None and bound.value() is not False
    }
    for prefix in ("conditions", "texts", "questions", "icons"):
        given |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    answer = client.post(url(Study, "add"), {**given, "name": "New", "slug": "new"})
    assert answer.status_code == 302, answer.context["errors"]
    made = Study.objects.get()
    assert (made.created_by, made.texts.count(), Membership.objects.get().user) == (ada, 1, ada)


def icon_form(study: Study, *, label: str = "cat", file: SimpleUploadedFile | None) -> dict[str, object]:
    changes: dict[str, object] = {"icons-TOTAL_FORMS": "1", "icons-0-label": label}
    if file is not None:
        changes["icons-0-file"] = file
    changes["icons-0-study"] = str(study.pk)
    return study_form(study, "nothing", **changes)


def test_a_label_gets_its_picture_on_the_study_s_page(client: Client) -> None:
    study = draft_study(n=2)
    upload = SimpleUploadedFile("cat.png", png(1, width=200, height=100))
    answer = client.post(url(Study, "change", study.pk), icon_form(study, file=upload))
    assert answer.status_code == 302, answer.context["errors"]
    icon = study.icons.get()
    assert (icon.label, icon.image.width, icon.image.height) == ("cat", 128, 64)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (None, "choose a picture for this label"),
        (SimpleUploadedFile("cat.png", b"words"), "cat.png: not an image; taken are PNG"),
    ],
)
def test_a_label_without_a_picture_is_refused(
    client: Client, file: SimpleUploadedFile | None, why: str
) -> None:
    study = draft_study(n=2)
    answer = client.post(url(Study, "change", study.pk), icon_form(study, file=file))
    assert why in answer.content.decode()
    assert study.icons.count() == 0


def test_every_change_is_in_the_history(client: Client) -> None:
    study = draft_study(n=2)
    client.post(url(Study, "change", study.pk), study_form(study, "open_now", minutes=9))
    history = client.get(url(Study, "history", study.pk)).content.decode()
    assert "<td>minutes</td>" in history


def test_a_set_is_renamed_without_an_upload(client: Client) -> None:
    made = image_set(1)
    form = {"name": "Renamed", "slug": made.slug}
    form |= {"targets-TOTAL_FORMS": "0", "targets-INITIAL_FORMS": "0", **NO_SHARING}
    assert client.post(url(ImageSet, "change", made.pk), form).status_code == 302
    made.refresh_from_db()
    assert (made.name, made.targets.count()) == ("Renamed", 1)


@pytest.mark.parametrize("model", [Network, ImageSet, Study])
def test_the_delete_page_names_the_studies_that_depend_on_it(client: Client, model: Any) -> None:
    opened_study(n=2, n_catch=0)
    for _ in range(2):
        Visitor().start()
    row = model.objects.get()
    address = url(model, "delete", row.pk)
    for answer in (client.get(address), client.post(address, {"post": "yes"})):
        page = answer.content.decode()
        assert ("Faces v1 (2 sessions)" if model is Study else "study Faces (2 sessions)") in page
        assert "IRI of" not in page
    assert model.objects.filter(pk=row.pk).exists()
