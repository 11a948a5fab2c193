"""What determines a score apart from the responses."""

from dataclasses import dataclass

from survey_site.analysis.answers import ScoringError


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """What determines the figures apart from the rows; carried by every score.

    confidence in (0, 1); replicates >= 100 for each bootstrap; rng_seed >= 0. Every condition starts its
    bootstraps from the same seed, so its figures do not depend on which other conditions are scored with it.
    """

    confidence: float = 0.95
    replicates: int = 10_000
    rng_seed: int = 2023

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ScoringError(f"confidence is {self.confidence!r}; it must lie between 0 and 1")
        if self.replicates < 100:
            raise ScoringError(f"replicates is {self.replicates!r}; it must be 100 or more")
        if self.rng_seed < 0:
            raise ScoringError(f"rng_seed is {self.rng_seed!r}; it must be 0 or more")
