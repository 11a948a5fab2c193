"""People, their roles, and the audit log."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from survey_site.access import token_admin as token_admin  # registers the tokens' pages
from survey_site.access.models import AuditEvent, Membership
from survey_site.access.services import record_event

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Histories and the audit log name people: whoever leaves is made inactive."""
        return False


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):
    list_display = ["user", "role", "content_type", "content_object"]
    list_filter = ["role", "content_type"]

    def save_model(self, request: HttpRequest, obj: Membership, form: object, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._record(request, "share", obj)

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        self._record(request, "unshare", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for one in queryset:
            self.delete_model(request, one)

    def _record(self, request: HttpRequest, action: str, one: Membership) -> None:
        detail = {"user": str(one.user), "role": one.role}
        record_event(user=request.user, action=action, subject=one.content_object, detail=detail)


@admin.register(AuditEvent)
class AuditEventAdmin(ModelAdmin):
    list_display = ["at", "user", "action", "subject"]
    list_filter = ["action"]
    search_fields = ["subject"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
