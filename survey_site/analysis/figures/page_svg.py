"""Matplotlib's SVG made into an element of a page: no scripts, no inline styles, title and description."""

from __future__ import annotations

import hashlib
from typing import Any
from xml.etree import ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def for_a_page(document: str, *, title: str, description: str) -> str:
    """Matplotlib's document as an element: described, scalable, with styles as attributes and ids of its own.

    A strict Content-Security-Policy refuses `style` attributes and elements, and a page may hold many
    figures. The same figure gives the same text.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(document)  # noqa: S314 - matplotlib wrote it a moment ago
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style" or child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    _styles_as_attributes(root)
    figure = f"figure-{hashlib.sha256(description.encode()).hexdigest()[:8]}"
    _rename_ids(root, prefix=f"{figure}-")
    root.attrib.pop("height", None)
    root.attrib.update(
        {
            "width": "100%",
            "role": "img",
            "aria-labelledby": f"{figure}-title {figure}-desc",
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
        }
    )
    for place, (name, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{name}")
        element.set("id", f"{figure}-{name}")
        element.text = "".join(letter for letter in text if letter.isprintable())
        root.insert(place, element)
    return ET.tostring(root, encoding="unicode")


def _styles_as_attributes(root: Any) -> None:
    for element in root.iter():
        for declaration in filter(None, map(str.strip, element.attrib.pop("style", "").split(";"))):
            name, value = declaration.split(":", 1)
            element.set(name.strip(), value.strip())


def _rename_ids(root: Any, *, prefix: str) -> None:
    """Ids by order of occurrence: matplotlib's are random."""
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    names = {old: f"{prefix}{number}" for number, old in enumerate(ids)}
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, names[value])
            elif name == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(name, f"#{names[value[1:]]}")
            elif value.startswith("url(#"):
                element.set(name, f"url(#{names[value[5:-1]]})")
