"""Admin pages whose permissions are roles: Django's own model permissions have no say in them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.forms import BaseGenericInlineFormSet
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from unfold.admin import GenericTabularInline, ModelAdmin

from survey_site.access.dependants import NamesDependantsAdmin
from survey_site.access.history import ChangeList
from survey_site.access.models import Membership
from survey_site.access.roles import Role, is_researcher, may
from survey_site.access.services import make_owner, record_event

CHANGES_PER_PAGE = 50


class VisibleRows:
    """Only those rows that the QuerySet's `visible_to` grants."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).visible_to(request.user)  # type: ignore[misc]


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only services write, for everybody on the staff who can see them."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_researcher(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RoleAdmin(NamesDependantsAdmin, VisibleRows, ModelAdmin):
    """Rows with a `visible_to`: seen by viewers, changed by editors and deleted by owners of what they
    belong to; whoever makes one owns it.
    """

    change_role = Role.EDITOR
    delete_role = Role.OWNER

    def shared(self, row: Any) -> Model:
        """The study, image set or network that the row belongs to."""
        return row

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, Role.VIEWER, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.change_role, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.delete_role, obj)

    def _has(self, request: HttpRequest, role: Role, obj: Any) -> bool:
        """Without a row: whether there can be rows at all that this person may act on."""
        if obj is None:
            return is_researcher(request.user)
        return may(request.user, role, self.shared(obj))


class SharingFormSet(BaseGenericInlineFormSet):
    """Somebody must be left who may share the thing."""

    def clean(self) -> None:
        super().clean()
        kept = [
            form.cleaned_data
            for form in self.forms
            if form.cleaned_data.get("user") and not form.cleaned_data.get("DELETE")
        ]
        had_owner = self.queryset is not None and self.queryset.filter(role=Role.OWNER).exists()
        if had_owner and not any(one["role"] == Role.OWNER for one in kept):
            raise forms.ValidationError("one owner at least must be left; make somebody else owner first")


class ByParent:
    """Inlines follow their page: whoever may change that may change them, whoever sees it sees them."""

    view_role, change_role = Role.VIEWER, Role.EDITOR

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.view_role, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.change_role, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.change_role, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.change_role, obj)

    def _has(self, request: HttpRequest, role: Role, parent: Any) -> bool:
        return is_researcher(request.user) and (parent is None or may(request.user, role, parent))


class SharingInline(ByParent, GenericTabularInline):
    """Who holds which role on this; for its owners."""

    view_role = change_role = Role.OWNER

    model = Membership
    formset = SharingFormSet
    ct_field, ct_fk_field = "content_type", "object_id"
    fields = ["user", "role"]
    extra = 0
    tab = True
    verbose_name = "role"
    verbose_name_plural = "Shared with"

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        if db_field.name == "user":
            options["queryset"] = get_user_model().objects.filter(is_staff=True, is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **options)


class SharedAdmin(RoleAdmin):
    """Studies, image sets and networks: their maker owns them, and owners share them."""

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """A thing that is only being made has no owner yet: it is shared once it stands."""
        inlines = list(super().get_inlines(request, obj))
        return inlines if obj is None else [*inlines, SharingInline]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Every change with who and when, of the thing and of what hangs on it."""
        thing = self.get_object(request, unquote(object_id))
        if thing is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        changes = Paginator(ChangeList(thing), CHANGES_PER_PAGE)
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {thing}",
            "opts": self.opts,
            "thing": thing,
            "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[thing.pk]),
            "page": changes.get_page(request.GET.get("page")),
        }
        return render(request, "access/history.html", context)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        if not change:
            make_owner(user=request.user, of=form.instance)
        super().save_related(request, form, formsets, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        record_event(user=request.user, action=f"delete {self.opts.verbose_name}", subject=obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for one in queryset:
            self.delete_model(request, one)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if isinstance(formset, SharingFormSet) and formset.has_changed():
            roles = {str(one.user): one.role for one in Membership.objects.on(form.instance)}
            record_event(user=request.user, action="share", subject=form.instance, detail={"roles": roles})
