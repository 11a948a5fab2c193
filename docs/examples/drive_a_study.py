"""Drive a whole study from a notebook or a script, over the REST API: docs/api.md.

    export IRISURVEY_URL=https://survey.example.org IRISURVEY_TOKEN=iris_...
    python docs/examples/drive_a_study.py --network resnet18 --layers avgpool --image-set photos

or, cell by cell::

    from drive_a_study import Site
    site = Site("https://survey.example.org", token)
    site.pages("studies/")
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import httpx

POLL_SECONDS = 2.0


class Refused(Exception):
    """What the site refused; `code` never changes its meaning (docs/api.md has the table)."""

    def __init__(self, answer: httpx.Response) -> None:
        told = answer.json()
        self.code, self.errors = told["code"], told["errors"]
        super().__init__(
            f"{answer.request.method} {answer.request.url.path}: {told['code']}: {told['detail']}"
        )


class Site:
    """The API of one site, as one researcher."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1/", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer's JSON. Waits where the token is used too often, and raises Refused."""
        answer = self.http.request(method, path, json=body, headers=headers)
        if answer.status_code == 429:
            time.sleep(int(answer.headers["Retry-After"]))
            return self.ask(method, path, body, **headers)
        if answer.is_error:
            raise Refused(answer)
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.ask("POST", path, body)

    def pages(self, path: str) -> Iterator[Any]:
        """Every row of a list, page by page."""
        address: str | None = path
        while address:
            page = self.get(address)
            yield from page["results"]
            address = page["next"]

    def change(self, study: str, method: str, part: str, body: Any = None) -> Any:
        """Change a part of a draft, unless somebody else changed the study since this line read it."""
        seen = self.http.get(f"studies/{study}/").headers["ETag"]
        return self.ask(method, f"studies/{study}/{part}", body, **{"If-Match": seen})

    def download(self, path: str) -> bytes:
        answer = self.http.get(path)
        if answer.is_error:
            raise Refused(answer)
        return answer.content


def wait_for(look: Callable[[], Any], ends: Sequence[str], key: str = "state") -> Any:
    """Look again until what is seen is in one of the states that end it."""
    while (seen := look())[key] not in ends:
        time.sleep(POLL_SECONDS)
    return seen


def ready_network(site: Site, slug: str, **register: Any) -> Any:
    """The network, registered first if it is not there: `source`, `architecture`, and one of `random_seed`,
    `pretrained`. A worker then builds it.
    """
    try:
        site.get(f"networks/{slug}/")
    except Refused as refusal:
        if refusal.code != "not_found" or not register:
            raise
        site.post("networks/", {"slug": slug, **register})
    network = wait_for(lambda: site.get(f"networks/{slug}/"), ("ready", "failed"))
    if network["state"] == "failed":
        raise RuntimeError(f"{slug} cannot be built: {network['state_reason']}")
    return network


def found_iris(site: Site, network: str, layers: Sequence[str], recipe: str, image_set: str) -> list[Any]:
    """The jobs of these layers, once workers have found their IRIs; what was found before is found again."""
    asked = {"network": network, "layers": list(layers), "recipe": recipe, "image_set": image_set}
    ends = ("finished", "partly_finished", "failed", "cancelled")
    numbers = [job["job"] for job in site.post("jobs/", asked)]
    return [wait_for(partial(site.get, f"jobs/{number}/"), ends, "status") for number in numbers]


def made_study(site: Site, slug: str, jobs: Sequence[Any], **settings: Any) -> Any:
    """A draft with one condition a job."""
    site.post("studies/", {"slug": slug, "name": slug.title(), "settings": settings})
    for job in jobs:
        condition = {name: job[name] for name in ("network", "layer", "recipe", "image_set")}
        site.change(slug, "POST", "conditions/", {**condition, "iri_seed": job["rng_seed"]})
    rules = [{"rule": "catch_rate", "minimum": 0.75}, {"rule": "too_fast"}]
    site.change(slug, "PUT", "exclusion-rules/", {"exclusion_rules": rules})
    return site.get(f"studies/{slug}/readiness/")


def piloted(site: Site, slug: str, n_bots: int) -> Any:
    """Bots take the study as pilots; their answers are kept apart from people's."""
    run = site.post(f"studies/{slug}/bots/", {"n_bots": n_bots, "p_target": 0.9})
    return wait_for(lambda: site.get(f"studies/{slug}/bots/{run['id']}/"), ("done", "failed"))


def exported(site: Site, slug: str, format: str, **filters: Any) -> bytes:
    """A file written in the background; small ones are sent at once, too: GET studies/SLUG/export/FORMAT."""
    export = site.post(f"studies/{slug}/exports/", {"format": format, **filters})
    path = f"studies/{slug}/exports/{export['id']}/"
    done = wait_for(lambda: site.get(path), ("done", "failed"))
    if done["state"] == "failed":
        raise RuntimeError(f"the export failed: {done['reason']}")
    return site.download(f"{path}file/")


def scores(site: Site, slug: str, mode: str) -> list[Any]:
    """By condition, once they are computed."""
    while not (found := list(site.pages(f"studies/{slug}/scores/?mode={mode}"))):
        time.sleep(POLL_SECONDS)
    return found


def drive(site: Site, options: argparse.Namespace) -> list[Any]:
    ready_network(site, options.network, **options.register)
    recipe = site.post("recipes/", {"preset": options.preset, "image_size": options.image_size})
    jobs = found_iris(site, options.network, options.layers, recipe["sha256"], options.image_set)
    ready = made_study(site, options.study, jobs, n_catch=1, minutes=5)
    if ready["missing"]:
        raise SystemExit("the study cannot open yet: " + "; ".join(ready["missing"]))
    opened = site.post(f"studies/{options.study}/open/")
    print("open as version", opened["version"]["number"], opened["version"]["sha256"])  # noqa: T201
    print("participants come to", opened["participant_link"])  # noqa: T201
    run = piloted(site, options.study, options.bots)
    print(run["n_finished"], "bots took it")  # noqa: T201
    rows = list(
        csv.DictReader(io.StringIO(exported(site, options.study, "responses.csv", mode="pilot").decode()))
    )
    print(len(rows), "answers exported")  # noqa: T201
    found = scores(site, options.study, "pilot")
    for score in found:
        low, high = (score["intervals"]["twoway"][end] for end in ("low", "high"))
        print(f"{score['condition']}: {score['estimate']:.2f} [{low:.2f}, {high:.2f}]")  # noqa: T201
    return found


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Drive a whole study over the REST API.")
    parser.add_argument(
        "--network", required=True, help="slug; with --architecture it is registered if missing"
    )
    parser.add_argument("--architecture", help="of torchvision, with random weights")
    parser.add_argument("--layers", nargs="+", required=True)
    parser.add_argument("--image-set", required=True)
    parser.add_argument("--preset", default="reg_free")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--study", default="driven")
    parser.add_argument("--bots", type=int, default=5)
    options = parser.parse_args(words)
    made = {"source": "torchvision", "architecture": options.architecture, "random_seed": 0}
    options.register = made if options.architecture else {}
    return options


if __name__ == "__main__":
    drive(Site(os.environ["IRISURVEY_URL"], os.environ["IRISURVEY_TOKEN"]), parsed())
