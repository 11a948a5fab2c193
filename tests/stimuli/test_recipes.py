"""Recipes of one's own: made on a form that shows the formula, stored for good, queued like presets."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from survey_site.stimuli import services
from survey_site.stimuli.models import IRIJob, Layer, Recipe
from survey_site.stimuli.recipe_form import RecipeForm, initial_of
from tests.builders import image_set, logged_in, network, researcher, superuser
from workers.iri.recipe import PRESETS, Optimizer, Start, Term, preset

pytestmark = pytest.mark.django_db

ADD = "/admin/stimuli/recipe/add/"


@pytest.fixture
def client() -> Client:
    return logged_in(superuser())


def posted(recipe: Any = None, **changes: object) -> dict[str, Any]:
    """The form as a browser sends it, begun with a recipe."""
    values = initial_of(recipe or preset("reg_free")) | {"name": "mine"} | changes
    return {
        name: "on" if value is True else value
        for name, value in values.items()
        if value is not None and value is not False
    }


@pytest.mark.parametrize("size", [96, 224])
@pytest.mark.parametrize("name", list(PRESETS))
def test_every_preset_can_be_begun_with_and_comes_back_as_it_was(name: str, size: int) -> None:
    recipe = preset(name, image_size=size)
    form = RecipeForm(posted(recipe))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["recipe"] == recipe


def test_the_form_has_a_field_for_every_kind_of_piece() -> None:
    recipe = preset(
        "human_leaning_fft",
        image_size=224,
        objective=(
            Term(weight=2, distance="cosine"),
            Term(weight=-0.5, layer="layer3.1", distance="linf"),
            Term(layer="fc"),
            Term("tv", 0.1, power=1.5),
            Term("blur", 0.2),
            Term("l1", 0.3, about=0.25),
            Term("lp", -0.4, power=4, about=0.5),
            Term("perceptual", -2, trunk="vgg", scale="measured"),
            Term("perceptual", 3, trunk="vgg", anchor="start"),
        ),
        start=Start("natural", choice="farthest"),
    )
    form = RecipeForm(posted(recipe))
    assert form.is_valid(), form.errors
    assert form.cleaned_data["recipe"] == recipe


def test_the_page_shows_the_formula_and_stores_nothing_until_told(client: Client) -> None:
    assert "Begin with:" in client.get(ADD, {"from": "tv_l6"}).content.decode()
    page = client.post(ADD, posted(tv_weight="0.5", show="1")).content.decode()
    assert "+ 0.5 (Σ dx² + Σ dy²) over x in [0, 1]^(3×96×96)" in page
    live = client.post(ADD, posted(tv_weight="0.25", preview="1")).content.decode()
    assert live.strip().startswith("<pre>minimise L(x)")
    assert "+ 0.25 (Σ dx² + Σ dy²)" in live
    assert not Recipe.objects.exists()


def test_a_stored_recipe_is_shown_and_cannot_be_changed(client: Client) -> None:
    answer = client.post(ADD, posted(tv_weight="0.5", save="1"))
    made = Recipe.objects.get()
    page = reverse("admin:stimuli_recipe_change", args=[made.pk])
    assert answer["Location"] == page
    assert [str(one) for one in get_messages(answer.wsgi_request)] == [
        "mine is stored; it can be queued now."
    ]
    assert (made.name, made.preset, made.load().objective[1]) == ("mine", "custom", Term("tv", 0.5))
    shown = client.get(page).content.decode()
    assert "+ 0.5 (Σ dx² + Σ dy²)" in shown
    client.post(page, {"name": "other", "spec": "{}"})
    assert client.post(reverse("admin:stimuli_recipe_delete", args=[made.pk])).status_code == 403
    assert Recipe.objects.get().name == "mine"
    assert 'value="0.5"' in client.get(ADD, {"from": "mine"}).content.decode()


def test_a_learning_rate_left_empty_is_the_optimisers_own(client: Client) -> None:
    client.post(ADD, posted(save="1", learning_rate="", optimizer="lbfgs", schedule="constant"))
    assert Recipe.objects.get().load().optimizer == Optimizer("lbfgs", 1.0, "constant")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": "7"}, "image_size is 7; allowed: a whole number from 16 to 1024"),
        ({"weight": ""}, "objective has 0 terms; allowed: 1 to 12"),
        ({"weight": "", "tv_weight": "1"}, "objective has no representation term of positive weight"),
        ({"other_layers": "layer3 0.5"}, "&#x27;layer3 0.5&#x27;; allowed: layer, weight, distance"),
        (
            {"optimizer": "lbfgs", "first_jitter": "4"},
            "optimizer.name is &#x27;lbfgs&#x27;; allowed with random",
        ),
        ({"blocks": "4"}, "optimizer.blocks is 4; allowed: nothing, a cosine schedule has none"),
        ({"scale_low": "0.9"}, "transforms.high is None; allowed: a number from 0.9 to 10"),
        ({"learning_rate": "0"}, "optimizer.learning_rate is 0.0; allowed: a number"),
        ({"steps": "many"}, "Enter a whole number."),
        ({"optimizer": "sgd"}, "Select a valid choice. sgd is not one of the available choices."),
        ({"name": "reg_free"}, "&#x27;reg_free&#x27; is a preset&#x27;s name; allowed: any other"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_a_recipe_is_said_on_the_form(
    client: Client, changes: dict[str, object], message: str
) -> None:
    assert message in client.post(ADD, posted(save="1", **changes)).content.decode()
    assert not Recipe.objects.exists()


def test_neither_a_name_nor_a_recipe_is_stored_twice(client: Client) -> None:
    client.post(ADD, posted(tv_weight="0.5", save="1"))
    again = client.post(ADD, posted(tv_weight="0.5", name="yours", save="1")).content.decode()
    assert "this recipe is stored already, as &#x27;mine&#x27;" in again
    other = client.post(ADD, posted(tv_weight="0.7", save="1")).content.decode()
    assert "there is a recipe &#x27;mine&#x27; already; allowed: another name" in other
    assert Recipe.objects.count() == 1


def test_recipes_are_added_by_the_staff_alone() -> None:
    outsider = User.objects.create_user("outsider")
    for answer in (logged_in(outsider).get(ADD), logged_in(outsider).post(ADD, posted(save="1"))):
        assert answer["Location"].startswith("/admin/login/")
    assert logged_in(researcher()).get(ADD).status_code == 200


def own_recipe() -> Recipe:
    recipe = preset("reg_free", image_size=32, steps=5, objective=(Term(), Term("tv", 0.5)))
    return services.store_recipe(recipe=recipe, name="mine")


def queue_form(layer: Layer, of: Recipe, **changes: object) -> dict[str, Any]:
    return {
        "action": "queue_pairs",
        "_selected_action": [layer.pk],
        "queue_now": "1",
        "preset": f"stored:{of.pk}",
        "rng_seed": "0",
        "priority": "0",
        "queue": "iri.cpu",
        "image_set": image_set(2).pk,
        **changes,
    }


def test_a_stored_recipe_is_queued_beside_the_presets(client: Client) -> None:
    mine, layer = own_recipe(), network().layers.get(name="pool")
    address = reverse("admin:stimuli_layer_changelist")
    asked = client.post(address, {"action": "queue_pairs", "_selected_action": [layer.pk]}).content.decode()
    assert f'<option value="stored:{mine.pk}">mine</option>' in asked
    assert "+ 0.5 (Σ dx² + Σ dy²)" in asked
    client.post(address, queue_form(layer, mine))
    assert IRIJob.objects.get().recipe == mine


def test_it_can_be_queued_at_another_size_and_is_then_another_recipe(client: Client) -> None:
    mine, layer = own_recipe(), network().layers.get(name="pool")
    client.post(reverse("admin:stimuli_layer_changelist"), queue_form(layer, mine, image_size="64"))
    queued = IRIJob.objects.get().recipe
    assert (queued.name, queued.load().image_size, queued.load().objective) == (
        "mine 64px",
        64,
        mine.load().objective,
    )


def test_a_size_that_a_stored_recipe_cannot_have_is_said_and_nothing_is_stored(client: Client) -> None:
    mine, layer = own_recipe(), network().layers.get(name="pool")
    page = client.post(reverse("admin:stimuli_layer_changelist"), queue_form(layer, mine, steps="0"))
    assert "steps is 0; allowed: a whole number from 1 to 100000" in page.content.decode()
    assert Recipe.objects.count() == 1


def test_the_shell_queues_it_by_name() -> None:
    mine = own_recipe()
    network()
    image_set(2)
    pair = ("queue_pairs", "--network", "net", "--layer", "pool", "--image-set", "photos")
    call_command(*pair, "--recipe", "mine", verbosity=0)
    assert IRIJob.objects.get().recipe == mine
    call_command(*pair, "--recipe", "mine", "--steps", "7", verbosity=0)
    assert set(IRIJob.objects.values_list("recipe__name", flat=True)) == {"mine", "mine 7 steps"}
    with pytest.raises(
        CommandError, match=r"preset is 'yours'; allowed: 'reg_free'.*; stored: mine, mine 7 steps"
    ):
        call_command(*pair, "--recipe", "yours", verbosity=0)
