"""The study builder: conditions picked from what is found, and the plan with what it comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from survey_site.access.roles import Role, require_role
from survey_site.analysis.rule_text import rule_title
from survey_site.console.builder_forms import PLAN, AssumedForm, PlanForm, ShownForm
from survey_site.console.outlook import Outlook, outlook_of
from survey_site.console.views import visible_study
from survey_site.stimuli.finished_pairs import finished_pairs, parse_key
from survey_site.studies.building import Pick, change_design, picks_of, planned_condition
from survey_site.studies.locks import LOCKED
from survey_site.studies.models import Condition, Study
from survey_site.studies.plans import plan_condition
from survey_site.studies.quality import iri_quality
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.revisions import ChangedMeanwhile, stamp

MOST_PAIRS = 120


def edited_study(request: HttpRequest, slug: str) -> Study:
    """The study for those who may change it."""
    study = visible_study(request, slug)
    require_role(request.user, Role.EDITOR, study)
    return study


def page_context(request: HttpRequest, study: Study, title: str, tab: str) -> dict[str, Any]:
    """What all pages about one study's design need."""
    return {
        **admin.site.each_context(request),
        "title": f"{title}: {study.name}",
        "study": study,
        "tab": tab,
        "locked": LOCKED if study.is_open else "",
    }


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@never_cache
def builder(request: HttpRequest, slug: str) -> HttpResponse:
    """Tick what people shall see, set the plan, and see what comes of it; saved in one go."""
    study = edited_study(request, slug)
    if request.method == "POST":
        problems = _saved(request, study)
        if not problems:
            return redirect("builder", study.slug)
    else:
        problems = []
    forms = _Forms(request, Study.objects.get(pk=study.pk))
    pairs, n_pairs = finished_pairs(request.user, wanted=request.GET.get("q", ""), most=MOST_PAIRS)
    context = {
        **page_context(request, study, "Build", "builder"),
        "seen": request.POST.get("seen") or stamp(study),
        "problems": problems,
        "plan": forms.plan,
        "shown": forms.shown,
        "assumed": forms.assumed,
        "pairs": pairs,
        "n_pairs": n_pairs,
        "picked": set(request.POST.getlist("pick")),
        "in_study": {
            f"{one.layer_id}-{one.recipe_id}-{one.image_set_id}-{one.iri_seed}"
            for one in study.conditions.all()
        },
        "conditions": [(one, iri_quality(one)) for one in study.conditions.with_pairs()],
        "removed": set(request.POST.getlist("remove")),
        "rules": [(rule.name, rule.version, rule_title(rule.to_dict())) for rule in _rules(study)],
        "outlook": _outlook(request, forms),
        "q": request.GET.get("q", ""),
    }
    return render(request, "console/builder.html", context)


@require_POST
@staff_member_required
@never_cache
def builder_outlook(request: HttpRequest, slug: str) -> HttpResponse:
    """The live part: what the form as it stands would come to. Saves nothing."""
    forms = _Forms(request, edited_study(request, slug))
    context = {"outlook": _outlook(request, forms), "assumed": forms.assumed, "plan": forms.plan}
    return render(request, "console/builder_outlook.html", context)


class _Forms:
    """The three forms, from what was sent or from how the study stands."""

    def __init__(self, request: HttpRequest, study: Study) -> None:
        data = request.POST if request.method == "POST" else None
        self.study = study
        # An open study's fields are disabled, so that none is sent.
        self.plan = PlanForm(None if study.is_open else data, instance=study)
        self.shown = ShownForm(data)
        self.assumed = AssumedForm(data)


def _saved(request: HttpRequest, study: Study) -> list[str]:
    """What keeps the form from being saved; nothing if it is."""
    forms = _Forms(request, Study.objects.get(pk=study.pk))
    picked = bool(request.POST.getlist("pick"))
    if study.is_open:
        return [LOCKED]
    if not forms.plan.is_valid() or (picked and not forms.shown.is_valid()):
        return ["Nothing was saved: see the fields marked below."]
    try:
        added = change_design(
            study=study,
            seen=request.POST.get("seen", ""),
            plan={name: forms.plan.cleaned_data[name] for name in PLAN},
            picks=_picks(request),
            options=forms.shown.options() if picked else {},
            remove=request.POST.getlist("remove"),
            by=request.user,
        )
    except ChangedMeanwhile as change:
        return change.told
    except StudyRefused as refusal:
        return [f"Nothing was saved: {refusal}"]
    said = f"{len(added)} condition{'' if len(added) == 1 else 's'} added. " if added else ""
    messages.success(request, f"{said}Saved.")
    return []


def _picks(request: HttpRequest) -> list[Pick]:
    found = [parse_key(key) for key in request.POST.getlist("pick")]
    if None in found:
        raise StudyRefused("a ticked condition does not exist")
    return picks_of(request.user, [ids for ids in found if ids])


def _outlook(request: HttpRequest, forms: _Forms) -> Outlook | None:
    """None where a field holds nothing that could be planned with."""
    if forms.plan.is_bound and not forms.plan.is_valid():
        return None
    if forms.assumed.is_bound and not forms.assumed.is_valid():
        return None
    assumed = forms.assumed if forms.assumed.is_bound else _as_assumed(forms.assumed)
    study = forms.study
    removed = set(request.POST.getlist("remove"))
    kept = [one for one in study.conditions.with_pairs() if one.slug not in removed]
    plans = [(plan_condition(one), False) for one in kept]
    plans += [(replace(plan_condition(one), slug=one.slug), True) for one in _picked(request, forms)]
    return outlook_of(
        study,
        plans,
        participants=assumed.cleaned_data["participants"],
        effects=assumed.effects(),
        n_questions=study.questions.values("name").distinct().count(),
    )


def _as_assumed(form: AssumedForm) -> AssumedForm:
    """As if sent as first shown."""
    bound = AssumedForm({form.add_prefix(name): field.initial for name, field in form.fields.items()})
    bound.full_clean()
    return bound


def _picked(request: HttpRequest, forms: _Forms) -> list[Condition]:
    if not request.POST.getlist("pick") or not forms.shown.is_valid():
        return []
    try:
        picks = _picks(request)
    except StudyRefused:
        return []
    return [planned_condition(forms.study, pick, forms.shown.options()) for pick in picks]


def _rules(study: Study) -> list[Any]:
    return [row.as_rule() for row in study.exclusion_rules.all()]
