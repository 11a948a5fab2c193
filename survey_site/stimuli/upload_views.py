"""Uploading to an image set: a page, what it sends in parts, and the report of what came of each file."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from survey_site.access.roles import Role, may, require_role
from survey_site.stimuli import services
from survey_site.stimuli.gallery_views import say_removal, visible_set
from survey_site.stimuli.image_names import IMAGE_SUFFIXES
from survey_site.stimuli.models import ImageSet, ImageUpload, Outcome, TargetImage
from survey_site.stimuli.network_needs import network_needs
from survey_site.stimuli.services.images import ALLOWED_FORMATS, LONGEST_SIDE, SHORTEST_SIDE

PER_PAGE = 48
# A request of the page's script: small, so that a broken connection costs seconds.
BATCH_FILES, BATCH_BYTES = 8, 30_000_000


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    """The page; without JavaScript its form comes back here, and what is left is read from the report on."""
    image_set = _set_to_change(request, slug)
    if request.method == "POST":
        return _take_form(request, image_set)
    context = {
        **admin.site.each_context(request),
        "title": f"Add images: {image_set.name}",
        "image_set": image_set,
        "needs": network_needs(image_set, user=request.user),
        "formats": ", ".join(ALLOWED_FORMATS),
        "longest_side": LONGEST_SIDE,
        "shortest_side": SHORTEST_SIDE,
        "most_megapixels": f"{settings.IMAGE_MAX_PIXELS / 1e6:,.0f}",
        "most_image": f"{settings.IMAGE_MAX_BYTES / 1e6:,.0f}",
        "most_bytes": settings.UPLOAD_MAX_BYTES,
        "most_upload": f"{settings.UPLOAD_MAX_BYTES / 1e6:,.0f}",
        "most_entries": f"{settings.ARCHIVE_MAX_ENTRIES:,}",
        "accept": ",".join(["image/*", ".zip", *sorted(IMAGE_SUFFIXES)]),
        "batch": {"files": BATCH_FILES, "bytes": BATCH_BYTES},
    }
    return render(request, "stimuli/upload.html", context)


def _take_form(request: HttpRequest, image_set: ImageSet) -> HttpResponse:
    files = request.FILES.getlist("files") + request.FILES.getlist("folder")
    if not files:
        messages.error(request, "Choose files first: photographs, a folder of them, or a ZIP.")
        return redirect("image-upload", image_set.slug)
    made = services.start_upload(image_set=image_set, user=request.user)
    try:
        for file in files:
            services.import_file(upload=made, path=file.name or "", file=file, size=file.size or 0)
        services.continue_upload(upload=made)
    except services.StoreTrouble as trouble:
        messages.error(request, f"{trouble}. What came in is below; send the rest again.")
    return redirect("image-upload-report", image_set.slug, made.pk)


@require_POST
@staff_member_required
def start(request: HttpRequest, slug: str) -> JsonResponse:
    """{"folders": [...]} -> the addresses that the files go to, and each folder's label."""
    image_set = _set_to_change(request, slug)
    folders = _strings(request.POST.get("folders", ""))
    if folders is None:
        return _bad("folders must be a JSON list of texts")
    made = services.start_upload(image_set=image_set, folders=folders, user=request.user)
    names = ("files", "go-on", "report")
    addresses = {name: reverse(f"image-upload-{name}", args=[slug, made.pk]) for name in names}
    return JsonResponse({**addresses, "labels": made.labels}, status=201)


@require_POST
@staff_member_required
def files(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> JsonResponse:
    """Files with their paths (a JSON list in the same order) -> what came of each. Safe to repeat."""
    made = _upload_to_change(request, slug, upload_id)
    given, paths = request.FILES.getlist("files"), _strings(request.POST.get("paths", ""))
    if paths is None or len(paths) != len(given):
        return _bad(f"paths must be a JSON list of {len(given)} texts, one a file")
    done = []
    try:
        for path, file in zip(paths, given, strict=True):
            row = services.import_file(upload=made, path=path, file=file, size=file.size or 0)
            if row is not None:
                done.append({"path": row.path, "outcome": row.outcome, "reason": row.reason})
    except services.StoreTrouble as trouble:
        return JsonResponse({"error": str(trouble)}, status=503)
    return JsonResponse({"files": done, **_counts(made)})


@require_POST
@staff_member_required
def go_on(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> HttpResponse:
    """Read some entries of the archives that wait. For the script, or from the report's button."""
    made = _upload_to_change(request, slug, upload_id)
    is_form = "report" in request.POST
    try:
        if "discard" in request.POST:
            for archive in made.archives.unread():
                services.discard_archive(archive)
        else:
            services.continue_upload(upload=made)
    except services.StoreTrouble as trouble:
        if not is_form:
            return JsonResponse({"error": str(trouble)}, status=503)
        messages.error(request, f"{trouble}. Go on in a while.")
    return redirect("image-upload-report", slug, upload_id) if is_form else JsonResponse(_counts(made))


def _counts(made: ImageUpload) -> dict[str, int]:
    counted: Any = ImageUpload.objects.with_counts().get(pk=made.pk)
    read, n_entries = services.progress_of(made)
    return {
        "added": counted.n_added,
        "duplicates": counted.n_duplicate,
        "refused": counted.n_refused,
        "read": read,
        "entries": n_entries,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def report(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> HttpResponse:
    """What came of each file. Editors change the labels here, or take all of it back."""
    image_set = visible_set(request, slug)
    made = get_object_or_404(ImageUpload.objects.with_counts(), pk=upload_id, image_set=image_set)
    added = TargetImage.objects.filter(imports__upload=made, imports__outcome=Outcome.ADDED).distinct()
    if request.method == "POST":
        require_role(request.user, Role.EDITOR, image_set)
        _change(request, image_set, added)
        return redirect("image-upload-report", slug, upload_id)
    read, n_entries = services.progress_of(made)
    rows = made.files.select_related("target__image")
    page = Paginator(added.select_related("image").order_by("label", "name"), PER_PAGE)
    context = {
        **admin.site.each_context(request),
        "title": f"Report: images for {image_set.name}",
        "image_set": image_set,
        "upload": made,
        "may_change": may(request.user, Role.EDITOR, image_set),
        "labels": added.label_counts(),
        "page": page.get_page(request.GET.get("page")),
        "duplicates": rows.filter(outcome=Outcome.DUPLICATE),
        "refused": rows.filter(outcome=Outcome.REFUSED),
        "read": read,
        "n_entries": n_entries,
        "needs": network_needs(image_set, user=request.user),
    }
    return render(request, "stimuli/upload_report.html", context)


def _change(request: HttpRequest, image_set: ImageSet, added: Any) -> None:
    if "remove" in request.POST:
        removal = services.remove_targets(image_set=image_set, targets=added, user=request.user)
        say_removal(request, removal)
        return
    before, after = request.POST.getlist("before"), request.POST.getlist("label")
    renamed = {old: new for old, new in zip(before, after, strict=False) if old != new.strip()}
    # All are looked up first: cat to dog and dog to cat at once is an exchange.
    chosen = {old: list(added.filter(label=old).values_list("pk", flat=True)) for old in renamed}
    n = sum(
        services.relabel(targets=TargetImage.objects.filter(pk__in=chosen[old]), label=new)
        for old, new in renamed.items()
    )
    messages.success(request, f"{n} images have another label now.")


def _set_to_change(request: HttpRequest, slug: str) -> ImageSet:
    image_set = visible_set(request, slug)
    require_role(request.user, Role.EDITOR, image_set)
    return image_set


def _upload_to_change(request: HttpRequest, slug: str, upload_id: uuid.UUID) -> ImageUpload:
    return get_object_or_404(ImageUpload, pk=upload_id, image_set=_set_to_change(request, slug))


def _strings(text: str) -> list[str] | None:
    """A JSON list of texts; None for anything else."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(given, list) and all(isinstance(one, str) for one in given)
    return given if is_list else None


def _bad(message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=400)
