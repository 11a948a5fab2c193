"""A score on the scale from chance to the noise ceiling. Standard library only."""

from dataclasses import dataclass

from survey_site.analysis.answers import ScoringError


@dataclass(frozen=True)
class NormalisedScore:
    """0 at chance, 1 at the ceiling; may lie outside, and then the note says so: nothing is clipped."""

    value: float
    note: str = ""


def normalised(score: float, *, chance: float, ceiling: float) -> NormalisedScore:
    """``(score - chance) / (ceiling - chance)``, all three shares in [0, 1].

        >>> normalised(0.75, chance=0.5, ceiling=0.9).value
        0.625

    Raises ScoringError where the ceiling is not above chance: then people's own answers hold nothing that a
    score could be measured against.
    """
    for name, share in (("score", score), ("chance", chance), ("ceiling", ceiling)):
        if not 0 <= share <= 1:
            raise ScoringError(f"{name} is {share!r}; it must lie between 0 and 1")
    if ceiling <= chance:
        raise ScoringError(f"the ceiling {ceiling:.3f} is not above chance {chance:.3f}; nothing to scale by")
    value = (score - chance) / (ceiling - chance)
    if value > 1:
        return NormalisedScore(value, "above the noise ceiling")
    return NormalisedScore(value, "below chance" if value < 0 else "")
