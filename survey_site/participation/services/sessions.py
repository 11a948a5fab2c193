"""Starting a session and giving it a slot."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from survey_site.participation.errors import Conflict, Forbidden, Missing, ParticipationError
from survey_site.participation.models import (
    PREVIEW,
    Mode,
    Participant,
    Presentation,
    RecruiterId,
    ScreenOut,
    SessionState,
    SingleUseLink,
    StudySession,
)
from survey_site.participation.recruitment.identity import Identity, identify
from survey_site.participation.recruitment.links import usable_link, use_link
from survey_site.participation.recruitment.mturk import refuse_preview
from survey_site.participation.recruitment.submissions import check_link, note_submission
from survey_site.participation.services.devices import screen_device
from survey_site.participation.services.previews import start_preview
from survey_site.participation.tokens import external_id_hash, new_token, token_hash
from survey_site.studies import design
from survey_site.studies.models import Recruiter, Study, StudyVersion, Trial, TrialKind
from survey_site.studies.planned import PlannedOption, PlannedPresentation, PlannedReference, PlannedTrial
from survey_site.studies.plans import session_plan


@dataclass(frozen=True)
class StartedSession:
    """`is_new` is false when the recruiter's id was known and its session goes on."""

    session: StudySession
    token: str
    is_new: bool


@transaction.atomic
def start_session(
    *,
    slug: str,
    mode: str,
    language: str,
    recruitment: Mapping[str, str],
    is_small_touch_device: bool = False,
) -> StartedSession:
    """A new session of the study's current version, or the one that this recruiter's id has already.

    The token is new each time; the former one stops working, so that two tabs never write to one session.
    On a device that the study refuses the session is screened out; the same id begins on another device.
    """
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        raise Missing("unknown_study", f"there is no study {slug!r}")
    if mode == PREVIEW:
        session, token = start_preview(study, ticket=str(recruitment.get("ticket", "")), language=language)
        screen_device(session, is_small_touch_device=is_small_touch_device)
        return StartedSession(session=session, token=token, is_new=True)
    if mode not in Mode.values:
        raise ParticipationError("invalid_mode", f"mode is {mode!r}; allowed: {', '.join(Mode.values)}")
    identity = identity_of(study, mode, recruitment)
    if mode == Mode.REAL and study.recruiter == Recruiter.SINGLE_USE:
        use_link(study=study, token=identity.external_id)
    participant, recruiter = _participant(identity)
    token, version = new_token(), study.current_version
    known = (
        StudySession.objects.select_for_update()
        .filter(participant=participant, study=study, mode=mode)
        .first()
    )
    if known:
        is_untouched = known.state == SessionState.CREATED or known.is_refused_device
        if is_untouched and version and known.language in version.texts:
            known.version = version  # nothing was shown yet but the texts, and those are the new ones
        screen_device(known, is_small_touch_device=is_small_touch_device)
        known.token_hash = token_hash(token)
        known.save(update_fields=["version", "token_hash"])
        _note_recruiter(known, study, mode, recruitment)
        return StartedSession(session=known, token=token, is_new=False)
    if not study.is_accepting(pilots=mode == Mode.PILOT) or version is None:
        raise Forbidden("study_closed", f"the study is {study.status}; it takes nobody now")
    check_group(participant, study, mode)
    drop_stale(study.pk, mode)
    if is_full(study.pk, mode, version.settings["quota"]):
        raise Forbidden("quota_full", f"the study has its {version.settings['quota']} participants")
    if language not in version.texts:
        allowed = ", ".join(sorted(version.texts))
        raise ParticipationError("invalid_language", f"language is {language!r}; allowed: {allowed}")
    session = StudySession.objects.create(
        participant=participant,
        study=study,
        version=version,
        mode=mode,
        language=language,
        recruiter=recruiter,
        token_hash=token_hash(token),
        rng_seed=secrets.randbits(63),
    )
    screen_device(session, is_small_touch_device=is_small_touch_device)
    _note_recruiter(session, study, mode, recruitment)
    return StartedSession(session=session, token=token, is_new=True)


def identity_of(study: Study, mode: str, recruitment: Mapping[str, str]) -> Identity:
    """Who comes, by the rules of the study's recruiter; pilots come by any link. Writes nothing.

    Raises ParticipationError for a link that the recruiter cannot have made.
    """
    if mode != Mode.REAL:
        return identify(recruitment)
    if study.recruiter == Recruiter.MTURK:
        refuse_preview(recruitment)  # MTurk's previews name nobody
    identity = identify(recruitment, expected=study.recruiter)
    check_link(study, recruitment)
    if study.recruiter == Recruiter.SINGLE_USE:
        usable_link(SingleUseLink.objects.all(), study=study, token=identity.external_id)
    return identity


def _note_recruiter(session: StudySession, study: Study, mode: str, recruitment: Mapping[str, str]) -> None:
    if mode == Mode.REAL:
        note_submission(session, study, recruitment)


# Whoever only opened or declined another study of the group, or came with a phone, has not taken part in it.
TOOK_NO_PART = Q(state__in=[SessionState.CREATED, SessionState.REFUSED]) | Q(
    state=SessionState.SCREENED_OUT, screened_out_by=ScreenOut.DEVICE
)


def check_group(participant: Participant, study: Study, mode: str) -> None:
    """One participation per study group. Raises Forbidden for another."""
    if not study.group:
        return
    elsewhere = StudySession.objects.filter(participant=participant, mode=mode, study__group=study.group)
    if elsewhere.exclude(study=study).exclude(TOOK_NO_PART).exists():
        raise Forbidden("took_part_already", "this person took part in another study of the same group")


def _participant(identity: Identity) -> tuple[Participant, str]:
    """The person behind the link, locked, so that two requests at once find one session.

    For a new id the unique constraint decides: the second waits until the first is committed.
    """
    if not identity.external_id:
        return Participant.objects.create(), identity.recruiter
    key = {
        "recruiter": identity.recruiter,
        "external_id_hash": external_id_hash(identity.recruiter, identity.external_id),
    }
    known = RecruiterId.objects.filter(**key).first()
    if known is None:
        fresh = Participant.objects.create()
        known, made = RecruiterId.objects.get_or_create(**key, defaults={"participant": fresh})
        if not made:
            fresh.delete()
    return Participant.objects.select_for_update().get(pk=known.participant_id), identity.recruiter


# States whose slot goes to somebody else, list and order with it.
RELEASED = [SessionState.DROPPED, SessionState.SCREENED_OUT, SessionState.WITHDRAWN]


@transaction.atomic
def give_consent(*, session: StudySession, agreed: bool, consent_version: str) -> StudySession:
    """Record the decision about the text shown; agreement takes a slot. Saying it twice is harmless."""
    session = (
        StudySession.objects.select_for_update(of=("self",)).select_related("version").get(pk=session.pk)
    )
    wanted = SessionState.CONSENTED if agreed else SessionState.REFUSED
    if session.state != SessionState.CREATED:
        _check_same_decision(session, agreed)
        return session
    shown = session.version.texts[session.language]["consent_version"]
    if consent_version != shown:
        raise Conflict(
            "consent_changed", f"consent was given to text {consent_version!r}; the study's is {shown!r}"
        )
    session.state = wanted
    if agreed:
        # One participant consents to one study at a time, so that a group counts them once.
        participant = Participant.objects.select_for_update().get(pk=session.participant_id)
        check_group(participant, Study.objects.get(pk=session.study_id), session.mode)
        session.consent_version, session.consented_at = shown, Now()
        _take_slot(session)
    session.save()
    session.refresh_from_db()
    return session


def _check_same_decision(session: StudySession, agreed: bool) -> None:
    if agreed == (session.state == SessionState.REFUSED or session.is_refused_device):
        raise Conflict("decision_made", f"this session is {session.state} already")


def _take_slot(session: StudySession) -> None:
    """Give the session the least-filled slot of its version, and write its presentations.

    The study's row is locked, so that two people who consent at once get different slots. Those who have been
    away for too long lose theirs first; whoever gets it gets their list and their order, too.
    """
    Study.objects.select_for_update().get(pk=session.study_id)
    version = session.version
    drop_stale(session.study_id, session.mode)
    _check_quota(session, version)
    trials, plan = planned_trials(version), session_plan(version.settings)
    n_main = sum(trial.kind == TrialKind.MAIN for trial in trials)
    slots = design.n_slots(n_main, plan.trials_per_participant, design.main_places(trials))
    session.slot = _least_filled(session, slots)
    session.rng_seed = _released_seed(session) or session.rng_seed
    planned = design.plan_session(
        trials, plan, slot=session.slot, seed=version.settings["rng_seed"], order_seed=session.rng_seed
    )
    _save_presentations(session, version, planned)


def _save_presentations(
    session: StudySession, version: StudyVersion, planned: Sequence[PlannedPresentation]
) -> None:
    ids = dict(version.trials.values_list("number", "pk"))
    rows = [
        Presentation(
            session=session,
            trial_id=ids[shown.trial],
            position=position,
            block=shown.block,
            option_order=list(shown.option_order),
        )
        for position, shown in enumerate(planned)
    ]
    for row, shown in zip(rows, planned, strict=True):
        if shown.repeat_of is not None:
            row.repeat_of = rows[shown.repeat_of]
    # A repeat points at a row of the same statement; the constraint is checked at its end.
    Presentation.objects.bulk_create(rows)


def drop_stale(study_id: int, mode: str) -> None:
    """Sessions whose participants have been away for too long are dropped, and their slots are free."""
    stale = StudySession.objects.filter(study=study_id, mode=mode).stale()
    StudySession.objects.filter(pk__in=stale.values("pk")).update(state=SessionState.DROPPED)


def _check_quota(session: StudySession, version: StudyVersion) -> None:
    if is_full(session.study_id, session.mode, version.settings["quota"]):
        raise Forbidden("quota_full", f"the study has its {version.settings['quota']} participants")


def is_full(study_id: int, mode: str, quota: int | None) -> bool:
    """Whether as many as wanted have finished or may still finish; pilots are not counted."""
    if quota is None or mode != Mode.REAL:
        return False
    return StudySession.objects.filter(study=study_id, mode=mode).holding_slots().count() >= quota


def _released_seed(session: StudySession) -> int | None:
    """The seed of somebody who dropped out of this slot, unless another has taken it up already."""
    same_slot = StudySession.objects.filter(
        version=session.version_id, mode=session.mode, slot=session.slot
    ).exclude(pk=session.pk)
    taken = same_slot.holding_slots().values("rng_seed")
    dropped = same_slot.filter(state__in=RELEASED).exclude(rng_seed__in=taken).order_by("created_at").first()
    return dropped.rng_seed if dropped else None


def _least_filled(session: StudySession, n_slots: int) -> int:
    """The slot that the fewest hold, counting completed and live sessions; modes are counted apart."""
    taken = Counter(
        StudySession.objects.filter(version=session.version_id, mode=session.mode)
        .holding_slots()
        .values_list("slot", flat=True)
    )
    return min(range(n_slots), key=lambda slot: (taken[slot], slot))


def planned_trials(version: StudyVersion) -> list[PlannedTrial]:
    """The version's trials as the design reads them; images are left out, since order needs none."""
    trials = version.trials.prefetch_related("options", "references__answer").order_by("number")
    return [_planned(trial) for trial in trials]


def _planned(trial: Trial) -> PlannedTrial:
    return PlannedTrial(
        format=trial.format,
        kind=trial.kind,
        condition=None,
        references=tuple(
            PlannedReference(image=None, answer=reference.answer.index)
            for reference in trial.references.all()
        ),
        options=tuple(PlannedOption(image=None, label=option.label) for option in trial.options.all()),
    )
