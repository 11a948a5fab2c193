"""What the results page shows of one study in one mode: stored results, and who is there now."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse

from survey_site.analysis.document import document_of
from survey_site.analysis.models import StudyResults
from survey_site.analysis.results import stored_results
from survey_site.analysis.session_counts import session_counts
from survey_site.console.observers import observer_states
from survey_site.participation.models import Mode, StudySession
from survey_site.stimuli.models import StoredImage
from survey_site.studies.models import Study

DEFAULT_SITE = "http://127.0.0.1:8000"


def results_of(study: Study, mode: str) -> dict[str, Any]:
    """Nothing is computed here: the stored results, how far they lag behind, and the present sessions."""
    results = stored_results(study, mode)
    return {
        "study": study,
        "mode": mode,
        "modes": Mode.choices,
        "version": study.current_version,
        "sessions": session_counts(study, mode),
        "n_newer": _changed_since(study, mode, results),
        "bots": bots_command(study),
        "refresh_seconds": settings.RESULTS_SECONDS,
        "observer_states": observer_states(study),
        "download": reverse("results", args=[study.slug]) + "figures/",
        **(document_of(results, source=admin_address) if results else {}),
    }


def admin_address(image: StoredImage) -> str:
    """Where people who are logged in see the image."""
    return reverse("admin-image", args=[image.pk])


def _changed_since(study: Study, mode: str, results: StudyResults | None) -> int:
    """Sessions that answered after reading for the results began."""
    answered = StudySession.objects.filter(study=study, mode=mode, last_seen_at__isnull=False)
    if results is not None and results.read_at is not None:
        answered = answered.filter(last_seen_at__gte=results.read_at)
    return answered.count()


def bots_command(study: Study) -> str:
    """What fills the study with pilot sessions, told where the site is if that is not the default."""
    site = "" if settings.PUBLIC_URL == DEFAULT_SITE else f"PUBLIC_URL={settings.PUBLIC_URL} "
    return f"{site}.venv/bin/python manage.py simulate_participants {study.slug} --n 30 --p-target 0.8"
