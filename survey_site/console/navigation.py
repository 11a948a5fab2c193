"""The admin's side bar, in the order of a researcher's work."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}")}


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _item_of_superusers(title: str, icon: str, name: str) -> dict[str, Any]:
    return {**_item(title, icon, name), "permission": is_superuser}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        {"title": "", "items": [_item("Overview", "dashboard", "index")]},
        {
            "title": "Stimuli",
            "separator": True,
            "items": [
                _item("Networks", "hub", "stimuli_network_changelist"),
                _item("Layers: queue pairs", "layers", "stimuli_layer_changelist"),
                _item("Image sets", "photo_library", "stimuli_imageset_changelist"),
                _item("IRI jobs", "pending_actions", "stimuli_irijob_changelist"),
                _item("IRIs", "compare", "stimuli_iri_changelist"),
                _item("Recipes", "function", "stimuli_recipe_changelist"),
                _item("Workers", "memory", "stimuli_worker_changelist"),
            ],
        },
        {
            "title": "Studies",
            "separator": True,
            "items": [
                _item("Studies", "science", "studies_study_changelist"),
                _item("Sessions", "groups", "participation_studysession_changelist"),
                _item("Exclusions", "filter_alt", "analysis_exclusion_changelist"),
            ],
        },
        {
            "title": "Access",
            "separator": True,
            "collapsible": True,
            "items": [
                _item("API tokens", "vpn_key", "access_apitoken_changelist"),
                {"title": "API", "icon": "api", "link": reverse_lazy("api-docs")},
                _item_of_superusers("People", "person", "auth_user_changelist"),
                _item_of_superusers("Roles", "key", "access_membership_changelist"),
                {
                    "title": "System status",
                    "icon": "monitor_heart",
                    "link": reverse_lazy("system-status"),
                    "permission": is_superuser,
                },
                _item_of_superusers("Audit log", "history", "access_auditevent_changelist"),
            ],
        },
    ]


def favicon(request: HttpRequest) -> str:
    return static("console/favicon.svg")
