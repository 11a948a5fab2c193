"""Usual licences of photographs, by their SPDX names where they have one."""

LICENCES = {
    "CC0-1.0": "CC0: no rights reserved",
    "CC-BY-4.0": "Creative Commons Attribution 4.0",
    "CC-BY-2.0": "Creative Commons Attribution 2.0 (much of Flickr)",
    "CC-BY-SA-4.0": "Creative Commons Attribution, ShareAlike 4.0",
    "CC-BY-NC-4.0": "Creative Commons Attribution, NonCommercial 4.0",
    "CC-BY-NC-SA-4.0": "Creative Commons Attribution, NonCommercial, ShareAlike 4.0",
    "ODbL-1.0": "Open Database License 1.0",
    "Public domain": "no copyright, such as photographs of NASA",
    "Own photographs": "taken by the lab, all rights its own",
    "ImageNet terms of access": "research and education, not to be passed on",
    "Used with permission": "say in the source whose it is",
}
