"""The demo's walk: photographs, two networks, pairs, IRIs, studies that people can take."""

import time

from rich.console import Console

from survey_site.stack.errors import StackError
from survey_site.stimuli.models import IRI, IRIJob, IRIStatus, NetworkState
from survey_site.studies.models import Study
from survey_site.studies.services import StudyRefused

from . import steps
from .addresses import addresses, wait_for_web
from .progress import PairProgress, ProgressDisplay, progress_of

POLL_SECONDS = 0.5


def run_demo() -> None:
    """Returns when every pair is finished and both studies are open; StackError says what went wrong."""
    console = Console(highlight=False, soft_wrap=True)
    jobs = queue_everything(console)
    password = steps.renew_login()
    display = ProgressDisplay(console)
    for number, planned in enumerate(steps.STUDIES):
        with display.shown():
            wait_for_iris(display, jobs, needed=jobs[planned.slug])
        study = open_study(planned, jobs[planned.slug])
        wait_for_web()
        console.print(addresses(study, steps.LOGIN, password if number == 0 else None), markup=False)
    console.print("All pairs are finished. The site stays up until Ctrl-C.")


def queue_everything(console: Console) -> dict[str, list[IRIJob]]:
    """The jobs of every study, by its slug; queued as soon as their network is ready."""
    image_set, recipe = steps.import_photographs(), steps.save_recipe()
    networks = [steps.register(network) for network in steps.NETWORKS]
    waiting = [network.name for network in networks if network.state == NetworkState.PENDING]
    console.print(f"{image_set.targets.count()} photographs are in")
    if waiting:
        console.print(f"Waiting for a worker to look at {' and '.join(waiting)} ...")
    jobs: dict[str, list[IRIJob]] = {planned.slug: [] for planned in steps.STUDIES}
    for network in networks:
        steps.wait_until_ready(network)
        for planned in steps.STUDIES:
            jobs[planned.slug].append(steps.queue_pair(network, planned, recipe, image_set))
    return jobs


def wait_for_iris(display: ProgressDisplay, jobs: dict[str, list[IRIJob]], needed: list[IRIJob]) -> None:
    """Show all pairs until the needed ones are finished; StackError if one of these cannot finish."""
    everything = [job for some in jobs.values() for job in some]
    while True:
        pairs = progress_of(everything)
        display.update(pairs)
        mine = [pair for job, pair in zip(everything, pairs, strict=True) if job in needed]
        if all(pair.is_finished for pair in mine):
            return
        _refuse_failed(mine, needed)
        time.sleep(POLL_SECONDS)


def _refuse_failed(pairs: list[PairProgress], jobs: list[IRIJob]) -> None:
    if any(pair.n_failed and pair.n_failed + pair.n_done == pair.n_iris for pair in pairs):
        reasons = IRI.objects.filter(job__in=jobs, status=IRIStatus.FAILED).values_list("reason", flat=True)
        raise StackError("IRIs failed: " + "; ".join(sorted(set(reasons))))


def open_study(planned: steps.DemoStudy, jobs: list[IRIJob]) -> Study:
    try:
        return steps.open_study(planned, jobs)
    except StudyRefused as refusal:
        raise StackError(f"the study {planned.slug} cannot open: {refusal}") from refusal
