"""The images of a set, to look through, to label and to remove."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from survey_site.access.roles import Role, may, require_role
from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, TargetImage, TargetImageQuerySet

PER_PAGE = 48
SORTS: dict[str, tuple[str, Callable[[TargetImageQuerySet], TargetImageQuerySet]]] = {
    "name": ("Name", lambda targets: targets.order_by("name", "pk")),
    "label": ("Label", lambda targets: targets.order_by("label", "name", "pk")),
    "smallest": ("Smallest first", lambda targets: targets.smallest_first()),
    "largest": ("Largest first", lambda targets: targets.largest_first()),
    "newest": ("Newest first", lambda targets: targets.order_by("-image__created_at", "name", "pk")),
}
NO_LABEL = "-"  # in the address: those without a label


def visible_set(request: HttpRequest, slug: str) -> ImageSet:
    """Raises Http404 for a set that isn't there, or isn't shared with this person."""
    image_set = ImageSet.objects.visible_to(request.user).filter(slug=slug).first()
    if image_set is None:
        raise Http404(f"there is no image set {slug}")
    return image_set


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def gallery(request: HttpRequest, slug: str) -> HttpResponse:
    """?q=&label=&smaller_than=&sort=&page="""
    image_set = visible_set(request, slug)
    if request.method == "POST":
        require_role(request.user, Role.EDITOR, image_set)
        _change(request, image_set)
        return redirect(f"{reverse('image-gallery', args=[slug])}?{request.GET.urlencode()}")
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "name"
    targets = SORTS[sort][1](_wanted(request, image_set)).select_related("image")
    kept = {name: value for name, value in request.GET.items() if name != "page" and value}
    context = {
        **admin.site.each_context(request),
        "title": f"Images of {image_set.name}",
        "image_set": image_set,
        "may_change": may(request.user, Role.EDITOR, image_set),
        "page": Paginator(targets, PER_PAGE).get_page(request.GET.get("page")),
        "n_all": image_set.targets.count(),
        "labels": image_set.targets.label_counts(),
        "no_label": NO_LABEL,
        "sorts": [(key, title) for key, (title, _) in SORTS.items()],
        "sort": sort,
        "asked": request.GET,
        "query": urlencode(kept),
    }
    return render(request, "stimuli/image_gallery.html", context)


def _wanted(request: HttpRequest, image_set: ImageSet) -> TargetImageQuerySet:
    targets: Any = image_set.targets.all()
    if words := request.GET.get("q", "").replace("\0", "").strip():
        targets = targets.filter(name__icontains=words)
    if label := request.GET.get("label", "").replace("\0", ""):
        targets = targets.filter(label="" if label == NO_LABEL else label)
    side = request.GET.get("smaller_than", "")
    return targets.smaller_than(int(side)) if side.isdecimal() and len(side) < 6 else targets


def _change(request: HttpRequest, image_set: ImageSet) -> None:
    """Remove the ticked ones, give them a label, or nothing where none are ticked."""
    chosen = _valid_ids(request.POST.getlist("image"))
    targets = TargetImage.objects.filter(image_set=image_set, pk__in=chosen)
    if not chosen:
        messages.error(request, "Tick the images first.")
    elif "remove" in request.POST:
        removal = services.remove_targets(image_set=image_set, targets=targets, user=request.user)
        say_removal(request, removal)
    elif "set_label" in request.POST:
        n = services.relabel(targets=targets, label=request.POST.get("label", ""))
        messages.success(request, f"{n} images have another label now.")


def _valid_ids(texts: list[str]) -> list[uuid.UUID]:
    ids = []
    for text in texts:
        with contextlib.suppress(ValueError):
            ids.append(uuid.UUID(text))
    return ids


def say_removal(request: HttpRequest, removal: services.Removal) -> None:
    for name, reason in removal.kept:
        messages.error(request, f"{name} stays: {reason}.")
    if removal.removed:
        messages.success(request, f"{len(removal.removed)} images were removed from the set.")
