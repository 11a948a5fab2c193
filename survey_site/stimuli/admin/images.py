"""Image sets and their targets."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminFileFieldWidget

from survey_site.access.role_admin import ByParent, SharedAdmin
from survey_site.stimuli import services
from survey_site.stimuli.admin.base import image_tag
from survey_site.stimuli.models import ImageSet, TargetImage


class ManyFilesInput(UnfoldAdminFileFieldWidget):
    allow_multiple_selected = True

    class Media:
        js = ["stimuli/many-files.js"]


class ManyFilesField(forms.FileField):
    """Any number of uploaded files."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=ManyFilesInput(attrs={"accept": "image/*"}), **options)

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list) else [data] if data else []
        return [super(ManyFilesField, self).clean(file, initial) for file in files]


class ImageSetForm(forms.ModelForm):
    add_images = ManyFilesField(
        required=False,
        help_text="PNG, JPEG and others; metadata is removed. What is refused is named, the rest goes on.",
    )

    class Meta:
        model = ImageSet
        fields = ["name", "slug", "licence", "source"]


class TargetInline(ByParent, TabularInline):
    model = TargetImage
    fields = ["thumbnail", "name", "label"]
    readonly_fields = ["thumbnail", "name"]
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Image")
    def thumbnail(self, target: TargetImage) -> SafeString | str:
        return image_tag(target.image, text=target.name, size=64)


@admin.register(ImageSet)
class ImageSetAdmin(SharedAdmin):
    form = ImageSetForm
    fields = ["name", "slug", "licence", "source", "add_images"]
    list_display = ["name", "image_count", "licence"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [TargetInline]

    class Media:
        css = {"all": ["stimuli/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ImageSet]:
        return super().get_queryset(request).annotate(n_targets=Count("targets"))

    @display(description="Images", ordering="n_targets")
    def image_count(self, image_set: Any) -> int:
        return int(image_set.n_targets)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        files = form.cleaned_data.get("add_images") or []
        report = services.import_images(
            image_set=form.instance, files=((file.name, file.read(), "") for file in files)
        )
        for name, reason in report.refused:
            messages.error(request, f"{name} was refused: {reason}")
        if report.added or report.duplicates:
            messages.success(
                request, f"{len(report.added)} images added, {len(report.duplicates)} there already."
            )
