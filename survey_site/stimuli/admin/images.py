"""Image sets: what they are and whence; their images have pages of their own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from survey_site.access.role_admin import SharedAdmin
from survey_site.access.roles import Role, may
from survey_site.stimuli.licences import LICENCES
from survey_site.stimuli.models import ImageSet, ImageUpload, TargetImage
from survey_site.stimuli.network_needs import network_needs

N_THUMBNAILS = 4
N_NAMED_LABELS = 6
N_LATEST = 12
N_UPLOADS = 10


class LicenceInput(UnfoldAdminTextInputWidget):
    """A text with the usual licences to choose from."""

    def __init__(self) -> None:
        super().__init__(attrs={"list": "usual-licences", "autocomplete": "off"})

    def render(self, *args: Any, **options: Any) -> SafeString:
        choices = format_html_join("", '<option value="{}">{}</option>', LICENCES.items())
        return format_html(
            '{}<datalist id="usual-licences">{}</datalist>', super().render(*args, **options), choices
        )


class ImageSetForm(forms.ModelForm):
    class Meta:
        model = ImageSet
        fields = ["name", "slug", "licence", "source"]
        widgets = {"licence": LicenceInput(), "source": UnfoldAdminTextareaWidget(attrs={"rows": 3})}

    def __init__(self, *args: Any, **options: Any) -> None:
        """A new set says what may be done with its images; what an older one said is not taken back."""
        super().__init__(*args, **options)
        for name in ("licence", "source"):
            if name in self.fields:
                is_old_gap = self.instance.pk is not None and not getattr(self.instance, name)
                self.fields[name].required = not is_old_gap
        if "licence" in self.fields:
            self.fields["licence"].help_text = (
                f"One of the usual ones ({', '.join(list(LICENCES)[:4])} …) or another; its SPDX name where "
                "it has one. Where each photograph has its own, say so here and list them in the source."
            )


class LabelledFilter(admin.SimpleListFilter):
    title = "labels"
    parameter_name = "labels"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "has labels"), ("no", "has none")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {"yes": {"n_labels__gt": 0}, "no": {"n_labels": 0}}.get(self.value() or "")
        return queryset.filter(**chosen) if chosen else queryset


@admin.register(ImageSet)
class ImageSetAdmin(SharedAdmin):
    form = ImageSetForm
    fields = ["name", "slug", "licence", "source"]
    readonly_fields = ["images", "networks", "uploads"]
    list_display = ["name", "thumbnails", "image_count", "label_names", "licence", "created_at"]
    list_filter = ["licence", LabelledFilter, "created_at"]
    search_fields = ["name", "slug", "licence", "source", "targets__label", "targets__name"]
    prepopulated_fields = {"slug": ["name"]}

    class Media:
        css = {"all": ["stimuli/admin.css", "stimuli/images.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: ImageSet | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": self.fields})]
        return [
            ("Images", {"fields": ["images"]}),
            ("The set", {"fields": self.fields}),
            ("What the networks see", {"fields": ["networks"]}),
            ("Uploads", {"fields": ["uploads"]}),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageSet]:
        """Counts by subqueries: a search by labels joins the images and would count only those found."""
        of_set = TargetImage.objects.filter(image_set=OuterRef("pk")).order_by().values("image_set")
        shown = TargetImage.objects.select_related("image").order_by("name")[:N_THUMBNAILS]
        return (
            super()
            .get_queryset(request)
            .annotate(
                n_targets=Coalesce(Subquery(of_set.annotate(n=Count("pk")).values("n")), 0),
                n_labels=Coalesce(
                    Subquery(of_set.exclude(label="").annotate(n=Count("label", distinct=True)).values("n")),
                    0,
                ),
            )
            .prefetch_related(Prefetch("targets", queryset=shown, to_attr="shown"))
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The set, which knows who looks at it: what is shown of networks depends on that."""
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            found.viewer = request.user
        return found

    @display(description="Images", ordering="n_targets")
    def image_count(self, image_set: Any) -> SafeString:
        return format_html(
            '<a class="iri-link" href="{}">{}</a>',
            reverse("image-gallery", args=[image_set.slug]),
            image_set.n_targets,
        )

    @display(description="")
    def thumbnails(self, image_set: Any) -> SafeString:
        pictures = format_html_join("", "{}", ((small_image(target),) for target in image_set.shown))
        return format_html('<span class="iri-strip">{}</span>', pictures)

    @display(description="Labels", ordering="n_labels")
    def label_names(self, image_set: Any) -> str:
        labels = [label for label, _ in image_set.targets.label_counts() if label]
        more = len(labels) - N_NAMED_LABELS
        return (", ".join(labels[:N_NAMED_LABELS]) + (f" and {more} more" if more > 0 else "")) or "–"

    @display(description="Newest")
    def images(self, image_set: Any) -> SafeString:
        latest = image_set.targets.select_related("image").order_by("-image__created_at", "name")
        context = {
            "image_set": image_set,
            "n_images": image_set.targets.count(),
            "latest": latest[:N_LATEST],
            "labels": image_set.targets.label_counts(),
            "may_change": may(image_set.viewer, Role.EDITOR, image_set),
        }
        return render_to_string("stimuli/image_set_images.html", context)

    @display(description="By network")
    def networks(self, image_set: Any) -> SafeString:
        context = {"image_set": image_set, "needs": network_needs(image_set, user=image_set.viewer)}
        return render_to_string("stimuli/network_needs.html", context)

    @display(description="Newest first")
    def uploads(self, image_set: ImageSet) -> SafeString:
        rows = ImageUpload.objects.with_counts().filter(image_set=image_set).select_related("created_by")
        return render_to_string(
            "stimuli/image_set_uploads.html", {"image_set": image_set, "uploads": rows[:N_UPLOADS]}
        )

    def response_add(
        self, request: HttpRequest, obj: ImageSet, post_url_continue: Any = None
    ) -> HttpResponse:
        """A new set is empty: its images come next."""
        answer = super().response_add(request, obj, post_url_continue)
        is_plain = not {"_addanother", "_continue", "_popup"} & set(request.POST)
        return redirect("image-upload", obj.slug) if is_plain else answer


def small_image(target: TargetImage) -> SafeString:
    return format_html(
        '<img src="{}" width="44" height="44" alt="{}" loading="lazy" class="iri-thumbnail">',
        reverse("admin-thumbnail", args=[target.image_id]),
        target.name,
    )
