"""The survey page and the images that it shows."""

from __future__ import annotations

import hmac
import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from survey_site.participation.models import Presentation
from survey_site.participation.recruitment import mturk
from survey_site.participation.tokens import image_mac
from survey_site.stimuli.models import StoredImage
from survey_site.studies.models import Recruiter, Study

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action {forms}; frame-ancestors {frames}"
)


def policy_of(study: Study) -> str:
    """Nobody frames the page and its forms stay here, except that MTurk shows and takes its own studies'."""
    if study.recruiter != Recruiter.MTURK:
        return CONTENT_SECURITY_POLICY.format(forms="'self'", frames="'none'")
    return CONTENT_SECURITY_POLICY.format(
        forms=" ".join(("'self'", *mturk.SUBMIT_HOSTS)), frames=" ".join(mturk.FRAME_HOSTS)
    )


@require_safe
@xframe_options_exempt
def survey_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The page that runs the study; it creates nothing, so that a link preview counts nobody."""
    study = get_object_or_404(Study, slug=slug)
    response = render(request, "participate.html", {"slug": study.slug, "study": study})
    response["Content-Security-Policy"] = policy_of(study)
    if study.recruiter != Recruiter.MTURK:
        response["X-Frame-Options"] = "DENY"  # which cannot name hosts, so MTurk's studies go without
    return response


@require_safe
@cache_control(private=True, immutable=True, max_age=86_400)
def presented_image(request: HttpRequest, presentation: uuid.UUID, place: str, mac: str) -> HttpResponse:
    """The image at one place of one presentation; its address is random and says nothing of its content."""
    if not hmac.compare_digest(mac, image_mac(presentation, place)):
        raise Http404
    shown = get_object_or_404(Presentation.objects.select_related("trial"), pk=presentation)
    image = _image_at(shown, place)
    with image.file.open("rb") as file:  # a FileResponse would name the file, which is the content's hash
        return HttpResponse(file.read(), content_type=image.media_type)


def _image_at(shown: Presentation, place: str) -> StoredImage:
    kind, index = place[0], int(place[1:])
    if kind == "r":
        image = shown.trial.references.select_related("image").get(index=index).image
    else:
        image = shown.trial.options.select_related("image").get(index=shown.option_order[index]).image
    if image is None:
        raise Http404
    return image
