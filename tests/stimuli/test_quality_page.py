"""The IRI's page: its measures beside what natural images reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI
from survey_site.stimuli.plots import null_strip_svg
from tests.builders import claim, found, image_set, layer, logged_in, network, recipe, superuser

pytestmark = pytest.mark.django_db

PROBABILITIES = ["0.0", "0.01", "0.99", "1.0"]


def distribution(low: float, high: float) -> dict[str, Any]:
    quantiles = dict(zip(PROBABILITIES, (low, low + 0.01, high - 0.01, high), strict=True))
    return {"n": 6, "quantiles": quantiles, "low": low, "high": high, "counts": [1, 0, 4, 1]}


NULL = {"relative_error": distribution(0.6, 1.4), "cosine": distribution(0.1, 0.7)}
MEASURES = {
    "pearson": 0.97,
    "spearman": 0.96,
    "snr_db": 20.0,
    "clip_fraction": 0.125,
    "distance_moved": 0.31,
    "plateau": 0.02,
    "limits": {"relative_error": 0.6, "cosine": 0.7, "pearson": None},
    "later": [
        {
            "layer": name,
            "relative_error": 0.42,
            "cosine": 0.91,
            "pearson": 0.9,
            "spearman": None,
            "snr_db": 7.5,
        }
        for name in ("layer4.1", "fc")
    ],
}


def measured_iri(*, passed: bool = True, with_null: bool = True) -> IRI:
    photos = image_set(4)
    pair = layer(network())
    (job,) = services.queue_pairs(layers=[pair], recipe=recipe(), image_set=photos)
    lease = claim()
    null = None
    if with_null:
        null = services.find_or_make_null(
            layer=pair, image_set=photos, image_size=32, make=lambda _: services.FoundNull(4, 6, NULL)
        )
    iri = job.iris.all()[0]
    services.record_iri(lease=lease, found=replace(found(iri, passed=passed), measures=MEASURES, null=null))
    iri.refresh_from_db()
    return iri


def page_of(iri: IRI) -> str:
    response = logged_in(superuser()).get(f"/admin/stimuli/iri/{iri.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


def test_the_null_is_drawn_with_this_iri_and_what_it_had_to_beat() -> None:
    iri = measured_iri()
    assert iri.null is not None
    page = page_of(iri)
    assert "Passed." in page
    assert page.count('<svg class="iri-null"') == 2
    assert (
        "Relative error: this IRI 0.100; pairs of natural images from 0.600 to 1.400, to beat 0.600" in page
    )
    assert "6 pairs of the 4 images of photos, 32 px" in page
    assert "the closest pair, to be beaten, since so few pairs have no 99 % quantile" in page


def test_every_measure_and_later_layer_is_there() -> None:
    page = page_of(measured_iri())
    for text in (
        "Spearman correlation: 0.960",
        "SNR (dB, ratio of powers): 20.000",
        "12.5%",
        "0.310",
        "2.0%",
    ):
        assert text in page
    assert page.index('<th scope="row">layer4.1</th>') < page.index('<th scope="row">fc</th>')
    assert '<th scope="row">fc</th><td>0.420</td><td>0.910</td><td>0.900</td><td>–</td><td>7.500</td>' in page


def test_a_failed_iri_says_why_and_what_it_means() -> None:
    page = page_of(measured_iri(passed=False))
    assert "Failed: relative error 0.9 &gt; 0.5. Studies leave it out unless a condition includes" in page


def test_an_iri_that_was_not_compared_says_so() -> None:
    page = page_of(measured_iri(with_null=False))
    assert "Not compared with pairs of natural images." in page
    assert "iri-null" not in page


def test_an_iri_that_is_not_made_yet_has_no_measures() -> None:
    (job,) = services.queue_pairs(layers=[layer(network())], recipe=recipe(), image_set=image_set(1))
    assert "iri-quality" not in page_of(job.iris.get())


def test_the_mark_is_drawn_even_outside_the_null() -> None:
    svg = null_strip_svg(name="Cosine", low=0.0, high=0.5, counts=[2, 2], value=1.0, limit=0.5)
    assert 'd="M476.0 4V62"' in svg  # the right end
    assert 'class="iri-limit" d="M240.0 8V62"' in svg
    assert svg.count("<rect") == 2


def test_a_null_of_one_value_can_be_drawn() -> None:
    assert "<svg" in null_strip_svg(name="Cosine", low=0.2, high=0.2, counts=[3], value=0.2, limit=None)
