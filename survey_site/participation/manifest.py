"""What one session's page is told: everything it shows, nothing that gives the answer away."""

from __future__ import annotations

from typing import Any, TypeGuard

from django.urls import reverse

from survey_site.participation.models import Presentation, StudySession
from survey_site.participation.services.practice import verdicts
from survey_site.participation.services.questionnaire import is_questionnaire_open
from survey_site.participation.tokens import image_mac
from survey_site.studies.models import TrialKind

# Settings of the version that the page needs to know.
TOLD = (
    "fixation_ms", "time_limit_ms", "image_frames", "reference_ms", "mask_ms", "confidence_levels",
    "image_scaling",
)  # fmt: skip


def session_manifest(session: StudySession) -> dict[str, Any]:
    settings = session.version.settings
    presentations = list(
        Presentation.objects.filter(session=session)
        .with_answered()
        .select_related("trial")
        .prefetch_related("trial__references", "trial__options")
        .order_by("position")
    )
    judged = verdicts(session) if settings["n_practice"] else {}
    return {
        "session_id": str(session.pk),
        "state": session.state,
        "study_version": session.version.number,
        "next_seq": session.next_seq,
        "image_px": settings["image_px"],
        "questions": session.version.texts[session.language]["questions"],
        "questionnaire_open": is_questionnaire_open(session),
        "settings": {**{name: settings[name] for name in TOLD}, "pass_mark": settings["practice_pass"]},
        "presentations": [
            {**_presentation(shown, before), "correct": judged.get(str(shown.pk), (0, None))[1]}
            for shown, before in zip(presentations, [None, *presentations], strict=False)
        ],
    }


def _presentation(shown: Any, before: Presentation | None) -> dict[str, Any]:
    options = {option.index: option for option in shown.trial.options.all()}
    return {
        "id": str(shown.pk),
        "position": shown.position,
        "block": shown.block,
        "format": shown.trial.format,
        "attempt": shown.attempt,
        "references": [
            {
                "index": reference.index,
                "image": image_address(shown, f"r{reference.index}") if reference.image_id else None,
            }
            for reference in shown.trial.references.all()
        ],
        "options": [
            {
                "position": position,
                "image": image_address(shown, f"o{position}") if options[index].image_id else None,
                "label": options[index].label or None,
            }
            for position, index in enumerate(shown.option_order)
        ],
        "answered": shown.answered,
        "break_before": _is_main(before) and before.block != shown.block,
        "feedback": shown.trial.kind == TrialKind.PRACTICE,
    }


def _is_main(before: Presentation | None) -> TypeGuard[Presentation]:
    """A break comes between blocks of the study proper, not after practice."""
    return before is not None and before.trial.kind != TrialKind.PRACTICE


def image_address(presentation: Presentation, place: str) -> str:
    """The image's address at a place (r0: first reference, o0: first option shown), itself the capability."""
    return reverse(
        "presented-image",
        kwargs={"presentation": presentation.pk, "place": place, "mac": image_mac(presentation.pk, place)},
    )
