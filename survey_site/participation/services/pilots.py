"""Bots that take a study as pilots, sent by a page and run by the housekeeping worker."""

from __future__ import annotations

import time

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.access.models import User
from survey_site.access.services import record_event
from survey_site.participation.bots import Bot, BotError
from survey_site.participation.models import Mode
from survey_site.participation.pilot_models import PilotRun, PilotState
from survey_site.stimuli.services.doorbell import ring_for, rings_under_way
from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused

RUN_PILOTS = "participation.run_pilots"
# The worker has other housekeeping to do: after so long it puts the rest of a run behind that.
TURN_SECONDS = 10.0


@transaction.atomic
def ask_for_bots(*, study: Study, n: int, p_target: float, by: User | None = None) -> PilotRun:
    """Have `n` bots take the study's current version as pilots; each chooses the answer with `p_target`.

    Raises StudyRefused where pilots cannot come, or other bots are still at it.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    if not study.is_accepting(pilots=True):
        raise StudyRefused(f"the study is {study.status}: only a pilot or an open study takes pilots")
    if study.pilot_runs.filter(state__in=[PilotState.WAITING, PilotState.RUNNING]).exists():
        raise StudyRefused("bots that were sent before are still at it")
    run = PilotRun(study=study, n_bots=n, p_target=p_target, asked_by_id=by.pk if by else None)
    run.full_clean()
    run.save()
    record_event(user=by, action="pilot with bots", subject=study, detail={"n": n, "p_target": p_target})
    _ring()
    return run


def run_pilots() -> None:
    """Take up one run that waits, for a while; a further ring goes on with it."""
    run = _claimed()
    if run is None:
        return
    try:
        _take_turn(run)
    except (BotError, httpx.HTTPError) as error:
        _write(run, state=PilotState.FAILED, reason=str(error)[:2000])
    else:
        is_done = run.n_finished == run.n_bots
        _write(run, state=PilotState.DONE if is_done else PilotState.WAITING)
        if not is_done:
            _ring()


def sweep_pilots() -> None:
    """Ring again for runs whose ring was lost, or whose worker was."""
    if PilotRun.objects.claimable().exists() and not rings_under_way(settings.CELERY_TASK_DEFAULT_QUEUE):
        _ring()


def _ring() -> None:
    ring_for(RUN_PILOTS, settings.CELERY_TASK_DEFAULT_QUEUE)


@transaction.atomic
def _claimed() -> PilotRun | None:
    run = (
        PilotRun.objects.claimable().select_for_update(skip_locked=True, of=("self",)).order_by("pk").first()
    )
    if run is None:
        return None
    run.attempts, run.state = run.attempts + 1, PilotState.RUNNING
    PilotRun.objects.filter(pk=run.pk).update(attempts=run.attempts, state=run.state, heard_at=Now())
    return run


def _take_turn(run: PilotRun) -> None:
    until = time.monotonic() + TURN_SECONDS
    with httpx.Client(base_url=settings.PUBLIC_URL, timeout=30) as client:
        while run.n_finished < run.n_bots and time.monotonic() < until:
            bot = Bot(client=client, p_target=run.p_target, rng_seed=f"{run.pk}:{run.n_finished}")
            bot.take(study=run.study.slug, mode=Mode.PILOT)
            if not _write(run, n_finished=F("n_finished") + 1):
                return  # another worker took the run over
            run.n_finished += 1


def _write(run: PilotRun, **changes: object) -> bool:
    """As the run's last claimant; False for any other."""
    mine = PilotRun.objects.filter(pk=run.pk, attempts=run.attempts)
    return bool(mine.update(heard_at=Now(), **changes))
