"""An IRI's measures beside what natural images reach, as the admin shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from survey_site.stimuli.models import IRI
from survey_site.stimuli.plots import null_strip_svg
from workers.iri.recipe import RecipeError

# By name in words, and whether a lower value is closer.
MEASURES = {
    "relative_error": ("Relative error", True),
    "cosine": ("Cosine", False),
    "pearson": ("Pearson correlation", False),
    "spearman": ("Spearman correlation", False),
    "snr_db": ("SNR (dB, ratio of powers)", False),
}


@dataclass(frozen=True)
class MeasureRow:
    """One measure at the matched layer."""

    name: str
    value: float | None
    limit: float | None
    beats: bool | None
    strip: SafeString | None


@dataclass(frozen=True)
class LaterRow:
    """The measures at a layer after the matched one."""

    layer: str
    values: list[float | None]


def value_of(iri: IRI, measure: str) -> float | None:
    columns = {"relative_error": iri.relative_error, "cosine": iri.cosine}
    return columns[measure] if measure in columns else iri.measures.get(measure)


def measure_rows(iri: IRI) -> list[MeasureRow]:
    return [_row(iri, measure) for measure in MEASURES if value_of(iri, measure) is not None]


def _row(iri: IRI, measure: str) -> MeasureRow:
    name, lower_is_closer = MEASURES[measure]
    value, limit = value_of(iri, measure), (iri.measures.get("limits") or {}).get(measure)
    null = iri.null.measures.get(measure) if iri.null else None
    if null is None or value is None:
        return MeasureRow(name, value, None, None, None)
    beats = None if limit is None else (value < limit if lower_is_closer else value > limit)
    strip = null_strip_svg(
        name=name, low=null["low"], high=null["high"], counts=null["counts"], value=value, limit=limit
    )
    return MeasureRow(name, value, limit, beats, strip)


def _null_quantile(iri: IRI) -> float | None:
    try:
        return iri.recipe.load().passing.null_quantile
    except RecipeError:  # written by a later version
        return None


def null_note(iri: IRI) -> str:
    """What the strips show, and what had to be beaten."""
    if iri.null is None:
        return "Not compared with pairs of natural images."
    quantile = _null_quantile(iri)
    null = iri.null
    note = (
        f"Grey: {null.n_pairs} pairs of the {null.n_images} images of {null.image_set},"
        f" {null.image_size} px. Mark: this IRI."
    )
    if quantile is None:
        return f"{note} The recipe sets no limit by them."
    share = f"{100 * quantile:g} %"
    if null.n_pairs * (1 - quantile) < 1:
        return f"{note} Dashed: the closest pair, to be beaten, since so few pairs have no {share} quantile."
    return f"{note} Dashed: to beat, closer than {share} of the pairs."


def later_rows(iri: IRI) -> list[LaterRow]:
    later = iri.measures.get("later") or []
    return [LaterRow(row["layer"], [row.get(name) for name in MEASURES]) for row in later]


def other_facts(iri: IRI) -> list[tuple[str, str]]:
    """What else was measured, in words."""
    shares = [
        ("Colour values at 0 or 1", "clip_fraction"),
        ("Error still fell in the last tenth by", "plateau"),
    ]
    facts = [(name, f"{iri.measures[key]:.1%}") for name, key in shares if iri.measures.get(key) is not None]
    moved = iri.measures.get("distance_moved")
    if moved is not None:
        facts.append(("Moved from the start image (RMS of colour values in 0 to 1)", f"{moved:.3f}"))
    return facts
