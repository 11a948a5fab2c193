"""Answers whose text and numbers are as awkward as the database takes them."""

from __future__ import annotations

import itertools

from survey_site.analysis.models import Exclusion
from survey_site.participation.models import RecruiterId, Response, StudySession, Submission
from survey_site.stimuli.models import Layer, Network, Recipe, TargetImage
from tests.analysis.answered_study import AnsweredStudy

TEXTS = (
    'say "no", twice',
    "two\nlines",
    "windows\r\nlines",
    "\rreturn first",
    "=1+1",
    "+x",
    "-x",
    "@sum",
    "\ttab first",
    "'quoted",
    " spaces ",
    "Katze 猫 🐈 é",
    "NULL",
    "NA",
    "007",
    "1e5",
    "\\.",
    "\\N",
    "%s %(name)s {0}",
    "",
)
NUMBERS = (
    0.1 + 0.2,
    512.0,
    -1.5,
    5e-324,
    1.7976931348623157e308,
    1e15,
    123456789012345.67,
    2**53 + 2.0,
    -0.0,
    1 / 3,
    1e-7,
    None,
)


def make_awkward(answered: AnsweredStudy) -> None:
    """Everything that people, browsers or recruiters name, and every measured number, is replaced."""
    texts, inputs, numbers = itertools.cycle(TEXTS), itertools.cycle(TEXTS), itertools.cycle(NUMBERS)
    for response in Response.objects.order_by("pk"):
        for name in ("rt", "rt_raw_ms", "onset_frame_ms", "time_elapsed", "refresh_hz"):
            setattr(response, name, next(numbers))
        response.trial_type, response.input = next(texts), next(inputs)[:10]
        if response.pk % 3 == 0:
            response.option, response.timed_out = None, True
        response.trial_index, response.confidence = (None, 3) if response.pk % 2 else (2**31 - 1, None)
        response.save()
    for target in TargetImage.objects.order_by("name"):
        target.label = next(texts)
        target.save()
    for model, length in ((Network, 50), (Layer, 200), (Recipe, 120)):
        field = "slug" if model is Network else "name"
        model.objects.update(**{field: 'a "b",\nc'[:length]})
    for number, session in enumerate(StudySession.objects.order_by("created_at", "pk")):
        session.language, session.recruiter = next(texts)[:10], "prolific"
        session.rng_seed = (-1) ** number * (2**63 - 1 - number)
        session.save()
        if number % 2:
            Submission.objects.create(
                session=session, recruiter="prolific", submission_id=f"=s{number}", recruiter_study_id=""
            )
            RecruiterId.objects.create(
                participant=session.participant, recruiter="prolific", external_id_hash=f"{number:064x}"
            )
        if number % 3 == 0:
            Exclusion.objects.create(session=session, rule="catch_rate", version=1, reason="few")
            Exclusion.objects.create(session=session, rule="Researcher", version=1, reason="said so")
