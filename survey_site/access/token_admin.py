"""A researcher's tokens: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from survey_site.access.models import ApiToken, Scope
from survey_site.access.roles import is_researcher
from survey_site.access.tokens import (
    DEFAULT_DAYS,
    LONGEST_NAME,
    MOST_DAYS,
    TokenRefused,
    make_token,
    revoke_token,
)


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME,
        widget=UnfoldAdminTextInputWidget,
        help_text="What it is for, such as “analysis notebook”.",
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, initial=[Scope.READ], widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        initial=DEFAULT_DAYS,
        label="Valid for days",
        widget=UnfoldAdminIntegerFieldWidget,
    )


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ["name", "user", "prefix", "state", "scope_list", "expires_at", "last_used_at"]
    search_fields = ["name", "prefix", "user__username"]
    list_select_related = ["user"]
    fields = [
        ("name", "user"), ("prefix", "scope_list"), ("created_at", "expires_at"),
        ("last_used_at", "revoked_at"),
    ]  # fmt: skip
    readonly_fields = ["scope_list", "state"]
    actions = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """One's own; those of all for superusers."""
        tokens: QuerySet[ApiToken] = super().get_queryset(request)
        return tokens if request.user.is_superuser else tokens.filter(user=request.user.pk)

    @display(description="Scopes")
    def scope_list(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @display(description="State", label={"valid": "success", "expired": "warning", "revoked": "danger"})
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return "revoked"
        is_over = token.expires_at is not None and token.expires_at <= timezone.now()
        return "expired" if is_over else "valid"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The answer holds the token, so no cache keeps it; a redirect would carry it through a cookie."""
        return never_cache(self._add)(request)

    def _add(self, request: HttpRequest) -> HttpResponse:
        form, text = TokenForm(request.POST or None), ""
        if request.method == "POST" and form.is_valid():
            try:
                _, text = make_token(user=request.user, by=request.user, **form.cleaned_data)
            except TokenRefused as refusal:
                form.add_error(None, str(refusal))
        context = {
            **self.admin_site.each_context(request),
            "title": "Your new token" if text else "A token for programs",
            "opts": self.model._meta,
            "form": form,
            "token": text,
        }
        return render(request, "access/make_token.html", context)

    @admin.action(description="Revoke", permissions=["view"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        n = sum(revoke_token(token, by=request.user) for token in tokens)
        messages.success(request, f"{n} tokens revoked; nobody is let in by them any more.")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_researcher(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revoking keeps the row; whoever deletes a person deletes their tokens, too."""
        return bool(request.user.is_active and request.user.is_superuser)
