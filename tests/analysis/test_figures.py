"""Figures: what they say in words, that a strict page can show them, and that hostile names draw as names."""

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from survey_site.analysis.figures.catalogue import figures_of
from survey_site.analysis.figures.factors import constant_factors
from survey_site.analysis.figures.figure import Figure
from survey_site.analysis.figures.forest import forest
from survey_site.analysis.figures.page_svg import SVG
from survey_site.analysis.services import alignment_of
from survey_site.stimuli.models import Layer, Network
from survey_site.studies.models import Condition
from tests.analysis.answered_study import AnsweredStudy

pytestmark = pytest.mark.django_db


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def report_of(answered: AnsweredStudy) -> dict[str, Any]:
    """As it comes back from the database."""
    stored: dict[str, Any] = json.loads(json.dumps(alignment_of(answered.study, "real")))
    return stored


def figures(answered: AnsweredStudy) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures_of(report_of(answered))}


@pytest.fixture
def answers(answered: AnsweredStudy) -> AnsweredStudy:
    answered.answer(n=6)
    return answered


@pytest.fixture
def two_networks(answers: AnsweredStudy) -> AnsweredStudy:
    """The matching condition is of another network, which is not residual, and of an earlier layer."""
    network = Network.objects.create(
        slug="vgg", name="VGG $16$ <b>", source="torchvision", architecture="vgg16", is_residual=False
    )
    layer = Layer.objects.create(network=network, name="features", depth=3, output_shape=[512])
    Condition.objects.filter(slug="-second").update(layer=layer)
    return answers


def test_the_forest_plot_is_described_in_words(answers: AnsweredStudy) -> None:
    report = report_of(answers)
    root = parsed(figures_of(report)[0].svg())
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{{{SVG}}}title", "Human-alignment scores")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    score = next(score for score in report["scores"] if score["condition"] == "first")
    interval = score["intervals"]["twoway"]
    assert description.text
    assert (
        f"ResNet · avgpool · two-alternative forced choice · 2 options: {score['score']:.2f} "
        f"(95% interval {interval['low']:.2f} to {interval['high']:.2f}, {score['n']} responses, chance 0.50)"
    ) in description.text


def test_a_strict_content_security_policy_can_show_every_figure(two_networks: AnsweredStudy) -> None:
    for figure in figures(two_networks).values():
        root = parsed(figure.svg())
        names = {element.tag.removeprefix(f"{{{SVG}}}") for element in root.iter()}
        assert not names & {"style", "script", "metadata"}
        assert not [element for element in root.iter() if "style" in element.attrib]
        assert (root.get("role"), bool(root[0].text), bool(root[1].text)) == ("img", True, True)


def test_every_reference_inside_a_figure_resolves_and_ids_differ_between_figures(
    two_networks: AnsweredStudy,
) -> None:
    all_ids: list[str] = []
    for figure in figures(two_networks).values():
        root = parsed(figure.svg())
        ids = [str(element.get("id")) for element in root.iter() if element.get("id")]
        used = {
            value.removeprefix("url(").removesuffix(")")[1:]
            for element in root.iter()
            for name, value in element.attrib.items()
            if name.endswith("href") or value.startswith("url(")
        }
        assert used <= set(ids)
        all_ids += ids
    assert len(all_ids) == len(set(all_ids))


def test_the_same_report_gives_the_same_figures(answers: AnsweredStudy) -> None:
    report = report_of(answers)
    assert [one.svg() for one in figures_of(report)] == [one.svg() for one in figures_of(report)]


def test_factors_are_drawn_once_for_each_way_of_splitting(two_networks: AnsweredStudy) -> None:
    drawn = figures(two_networks)
    assert [name for name in drawn if name.startswith("by-")] == ["by-network"]
    assert "by architecture and by residual connections and by layer depth" in drawn["by-network"].caption
    assert [row[0] for row in drawn["by-network"].rows] == ["ResNet", "VGG $16$ <b>"]
    assert ("recipe", "=cmd") in constant_factors(report_of(two_networks))


def test_layers_are_drawn_where_a_network_has_two(answers: AnsweredStudy) -> None:
    assert "layers" not in figures(answers)
    layer = Layer.objects.create(network=Network.objects.get(), name="layer1", depth=2, output_shape=[64])
    Condition.objects.filter(slug="-second").update(layer=layer, format="two_afc", n_options=2)
    profile = figures(answers)["layers"]
    assert [(row[0], row[1], row[2]) for row in profile.rows] == [
        ("ResNet", "layer1", 2),
        ("ResNet", "avgpool", 9),
    ]


def test_names_that_look_like_formulas_or_markup_are_drawn_as_names(two_networks: AnsweredStudy) -> None:
    Network.objects.filter(slug="vgg").update(name="$\\frac{ \x0b<script>" + "x" * 80)
    for figure in figures(two_networks).values():
        parsed(figure.svg())
        assert figure.png().startswith(b"\x89PNG")


def test_a_figure_comes_as_png_and_its_data_as_csv(answers: AnsweredStudy) -> None:
    figure = figures(answers)["scores"]
    image = Image.open(io.BytesIO(figure.png()))
    assert image.width == 1800
    assert image.text["Description"] == figure.description  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(figure.csv())))
    report = report_of(answers)
    assert [float(row["score"]) for row in rows] == [score["score"] for score in report["scores"]]
    assert [row["n"] for row in rows] == [str(score["n"]) for score in report["scores"]]


def test_the_flow_chart_adds_up_and_says_the_rules_in_words(answered: AnsweredStudy) -> None:
    answered.new_version(rules='[{"rule": "catch_rate"}, {"rule": "side_bias"}]')
    answered.answer(n=4)
    rows = {row[0]: row[1] for row in figures(answered)["exclusions"].rows}
    assert rows["Opened the page"] == rows["Consented"] == rows["Gave answers"] == 4
    assert rows["one side in more than 90% of 10 or more answers"] == 0
    left = rows["fewer than 75% of the catch trials right"]
    assert isinstance(left, int)
    assert rows["Analysed"] == 4 - left


def test_scores_with_and_without_are_drawn_when_somebody_is_left_out(answered: AnsweredStudy) -> None:
    answered.new_version(rules='[{"rule": "too_fast", "minimum_ms": 9999}]')
    answered.answer(n=3)
    drawn = figures(answered)
    assert "scores" not in drawn  # nobody is left
    assert figures_of({**report_of(answered), "scores": []})[-1].name == "exclusions"


def test_a_report_of_files_alone_has_no_flow_chart(answers: AnsweredStudy) -> None:
    report = {name: part for name, part in report_of(answers).items() if name != "exclusions"}
    assert "exclusions" not in {figure.name for figure in figures_of(report)}


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="needs at least one"):
        forest(name="x", title="X", caption="", scores=[], confidence=0.95)
