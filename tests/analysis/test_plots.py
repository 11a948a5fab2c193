from xml.etree import ElementTree as ET

import pytest

from survey_site.analysis.plots import SVG, forest_svg
from survey_site.analysis.services import score_study
from tests.analysis.answered_study import AnsweredStudy


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own


def test_the_forest_plot_is_described_in_words(answered: AnsweredStudy) -> None:
    answered.answer(n=6)
    scores = score_study(answered.study, "real")
    root = parsed(forest_svg(scores))
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{{{SVG}}}title", "Human-alignment scores")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    interval = scores[1].interval()
    assert description.text
    assert f"first: {scores[1].estimate:.2f} (95% interval {interval.low:.2f} to {interval.high:.2f}, " in (
        description.text
    )
    assert "-second: " in description.text


def test_a_strict_content_security_policy_can_show_it(answered: AnsweredStudy) -> None:
    answered.answer(n=6)
    root = parsed(forest_svg(score_study(answered.study, "real")))
    names = {element.tag.removeprefix(f"{{{SVG}}}") for element in root.iter()}
    assert not names & {"style", "script", "metadata"}
    assert not [element for element in root.iter() if "style" in element.attrib]


def test_every_reference_inside_it_resolves(answered: AnsweredStudy) -> None:
    answered.answer(n=6)
    root = parsed(forest_svg(score_study(answered.study, "real")))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    used = {
        value.removeprefix("url(").removesuffix(")")[1:]
        for element in root.iter()
        for name, value in element.attrib.items()
        if name.endswith("href") or value.startswith("url(")
    }
    assert used <= set(ids)


def test_the_same_scores_give_the_same_figure(answered: AnsweredStudy) -> None:
    answered.answer(n=6)
    scores = score_study(answered.study, "real")
    assert forest_svg(scores) == forest_svg(scores)


def test_nothing_to_draw_is_said() -> None:
    with pytest.raises(ValueError, match="needs at least one"):
        forest_svg([])
