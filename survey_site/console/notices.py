"""What happened that somebody is to be told of: looked for by a sweep, so that no kill loses it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count, F, Max, Q
from django.db.models.functions import Now
from django.urls import reverse

from survey_site.access.notices import addresses, is_mail_set_up, owners_of, send_notices, write_notice
from survey_site.analysis.models import Observation, ObservationState
from survey_site.participation.models import Mode, SessionState
from survey_site.stimuli.models import IRIJob, IRIStatus, JobStatus, StateChange
from survey_site.studies.models import Study, StudyStatus

#: What is older was not worth a mail when mail was set up.
RECENT = timedelta(days=1)


def notify() -> int:
    """Write what is to be told, and send what is due; how many mails were sent."""
    if not is_mail_set_up():
        return 0
    for write in (notice_full_quotas, notice_failed_jobs, notice_failed_observations):
        write()
    return send_notices()


def notice_full_quotas() -> None:
    """To the owners of studies in which as many as wanted have finished."""
    done = Q(sessions__state=SessionState.FINISHED, sessions__mode=Mode.REAL)
    studies = Study.objects.exclude(status=StudyStatus.DRAFT).annotate(
        n_finished=Count("sessions", filter=done), last=Max("sessions__finished_at", filter=done)
    )
    for study in studies.filter(last__gt=Now() - RECENT):
        version = study.current_version
        quota = version.settings.get("quota") if version else None
        if quota is None or study.n_finished < quota:
            continue
        write_notice(
            key=f"quota {study.pk} {quota}",
            recipients=owners_of(study),
            subject=f"{study.name}: the quota of {quota} is full",
            body=(
                f"{study.n_finished} participants have finished the study “{study.name}”, and its quota is "
                f"{quota}: nobody more is taken.\n\nIts live page: {_address('live', study.slug)}\n\n"
                "If that was the planned number, close the study and decide on exclusions before you read "
                "the scores.\n"
            ),
        )


def notice_failed_jobs() -> None:
    """To whoever queued a job that has ended with IRIs missing."""
    ended = (JobStatus.FAILED, JobStatus.PARTLY_FINISHED)
    changes = (
        StateChange.objects.filter(chunk=None, after__in=ended, at__gt=Now() - RECENT)
        .filter(job__status=F("after"), job__created_by__is_active=True)
        .exclude(before=F("after"))
        .select_related("job__layer__network", "job__recipe")
    )
    for change in changes:
        job = change.job
        write_notice(
            key=f"job {job.pk} {change.pk}",
            recipients=addresses(get_user_model().objects.filter(pk__in=[job.created_by_id])),
            subject=f"IRI job {job}: {JobStatus(change.after).label.lower()}",
            body=(
                f"The IRI job {job} has ended: {change.reason}.\n\n{_failures(job)}"
                f"The job: {_address('admin:stimuli_irijob_change', job.pk)}\n"
            ),
        )


def notice_failed_observations() -> None:
    """To the owners of studies that a simulated observer could not judge."""
    failed = Observation.objects.filter(
        state=ObservationState.UNAVAILABLE, finished_at__gt=Now() - RECENT
    ).select_related("study")
    for observation in failed:
        study = observation.study
        write_notice(
            key=f"observation {observation.pk} {observation.finished_at}",
            recipients=owners_of(study),
            subject=f"{study.name}: {observation} is unavailable",
            body=(
                f"The simulated observer {observation} could not judge:\n\n{observation.reason}\n\n"
                f"The study's results: {_address('results', study.slug)}\n"
            ),
        )


def _failures(job: IRIJob) -> str:
    """The commonest reasons, a line each."""
    failed = job.iris.filter(status=IRIStatus.FAILED).order_by()
    reasons = failed.values_list("reason").annotate(n=Count("pk")).order_by("-n")[:5]
    return "".join(f"{n} x {str(reason).strip().splitlines()[-1][:200]}\n" for reason, n in reasons if reason)


def _address(name: str, argument: object) -> str:
    return f"{settings.PUBLIC_URL}{reverse(name, args=[argument])}"
