"""The form that registers a network, offering what a live worker can build."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from survey_site.stimuli import services
from survey_site.stimuli.models import Network, NetworkSource


class ArchitectureInput(UnfoldAdminTextInputWidget):
    """A text field that suggests the announced architectures, each with how it is fed."""

    class Media:
        js = ["stimuli/architectures.js"]

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attrs = {**(attrs or {}), "data-architecture": "", "autocomplete": "off"}
        return format_html("{}{}", super().render(name, value, attrs, renderer), datalists())


def datalists() -> SafeString:
    """One list of suggestions a source."""
    known = services.buildable()
    return format_html_join(
        "",
        '<datalist id="architectures-{}">{}</datalist>',
        ((source, _options(known[source])) for source in NetworkSource.values if source in known),
    )


def _options(architectures: dict[str, dict[str, Any]]) -> SafeString:
    return format_html_join(
        "",
        '<option value="{}">{}</option>',
        ((name, fed(facts)) for name, facts in sorted(architectures.items())),
    )


def fed(facts: dict[str, Any]) -> str:
    """Input size and normalisation in words."""
    if not facts:
        return ""
    mean, std = (" ".join(f"{number:.3g}" for number in facts[name]) for name in ("mean", "std"))
    weights = ", carries weights" if facts.get("pretrained") else ""
    return f"{facts['input_size']} px, mean {mean}, std {std}{weights}"


class ChannelsField(forms.Field):
    """Numbers separated by spaces or commas, in brackets or not; the service checks that they are three."""

    widget = UnfoldAdminTextInputWidget

    def to_python(self, value: Any) -> list[float] | str | None:
        text = str(value or "").strip()
        if not text:
            return None
        try:
            return [float(part) for part in text.strip("[]()").replace(",", " ").split()]
        except ValueError:
            return text

    def prepare_value(self, value: Any) -> Any:
        return " ".join(f"{number:g}" for number in value) if isinstance(value, list) else value


class NetworkForm(forms.ModelForm):
    """Over the web weights come as safetensors alone: a format that cannot carry code."""

    mean = ChannelsField(
        required=False, help_text="Three numbers; empty: the weights file's, or the library's."
    )
    std = ChannelsField(
        required=False, help_text="Three numbers; empty: the weights file's, or the library's."
    )

    class Meta:
        model = Network
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets choose
        widgets = {"architecture": ArchitectureInput}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "architecture" in self.fields:
            self.fields["architecture"].help_text = (
                "As the library spells it; what a running worker can build is suggested."
                if services.buildable()
                else "As the library spells it, for example resnet18. No worker is running now to say what "
                "it can build, so the name is checked when one starts."
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        weights = data.get("weights")
        if weights and "weights" in self.changed_data and not weights.name.endswith(".safetensors"):
            self.add_error(
                "weights",
                f"{weights.name}: only .safetensors files are taken here; an administrator can register "
                ".pt files with manage.py register_network",
            )
        if self.instance.pk is None:
            self._check_new(data)
        return data

    def _check_new(self, data: dict[str, Any]) -> None:
        given = [bool(data.get("weights")), bool(data.get("pretrained")), data.get("random_seed") is not None]
        if sum(given) != 1:
            raise forms.ValidationError(
                "Give exactly one of: a weights file, pretrained weights, an RNG seed of random weights."
            )
        for name in ("mean", "std"):
            self._refuse(name, lambda name=name: services.check_channels(name, data.get(name)))
        self._refuse(
            "architecture",
            lambda: services.check_buildable(
                source=data.get("source", ""),
                architecture=data.get("architecture", ""),
                pretrained=bool(data.get("pretrained")),
            ),
        )

    def _refuse(self, field: str, check: Any) -> None:
        try:
            check()
        except services.NetworkRefused as refusal:
            self.add_error(field, str(refusal))
