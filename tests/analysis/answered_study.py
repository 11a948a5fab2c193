"""A frozen study with answers, written row by row: what the scores and the exports are tested on."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from typing import Any

from survey_site.participation.models import LogEntry, Participant, Presentation, Response, StudySession
from survey_site.stimuli.models import (
    IRI,
    ImageSet,
    IRIJob,
    Layer,
    Network,
    Recipe,
    StoredImage,
    TargetImage,
)
from survey_site.studies.exclusion_rules import rules_from_json
from survey_site.studies.models import Condition, Study, StudyVersion, Trial, TrialOption, TrialReference
from workers.iri.recipe import preset

N_TARGETS = 4
_numbers = itertools.count(1)


def stored_image(sha256: str) -> StoredImage:
    return StoredImage.objects.create(sha256=sha256, file=f"images/{sha256}.png", width=96, height=96)


@dataclass
class AnsweredStudy:
    """`conditions` by slug: a 2AFC one, `first`, and one with matching trials, `-second`."""

    study: Study
    version: StudyVersion
    conditions: dict[str, Condition] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)

    def new_version(self, rules: str = "[]") -> StudyVersion:
        """The next answers are of this version, whose sessions are held to the exclusion `rules` (JSON)."""
        number = self.study.versions.count() + 1
        frozen = {"exclusion_rules": [rule.to_dict() for rule in rules_from_json(rules)]}
        self.version = StudyVersion.objects.create(
            study=self.study, number=number, settings=frozen, texts={}, sha256=str(number)
        )
        self.trials = [
            *(self.add_trial("first", n_options=2, n_references=1) for _ in range(N_TARGETS)),
            *(self.add_trial("-second", n_options=3, n_references=3) for _ in range(2)),
            self.add_trial(None, n_options=2, n_references=1),
        ]
        return self.version

    def add_trial(self, condition: str | None, *, n_options: int, n_references: int) -> Trial:
        number = self.version.trials.count()
        iri = IRI.objects.order_by("target__name")[number % N_TARGETS] if condition else None
        trial = Trial.objects.create(
            version=self.version,
            number=number,
            condition=self.conditions[condition] if condition else None,
            format="matching" if n_references > 1 else "two_afc",
            kind="main" if condition else "catch",
        )
        options = [TrialOption.objects.create(trial=trial, index=i, label=f"o{i}") for i in range(n_options)]
        for index in range(n_references):
            image = iri.image if iri else None
            TrialReference.objects.create(
                trial=trial, index=index, image=image, answer=options[index], iri=iri
            )
        return trial

    def answer(self, *, n: int, mode: str = "real", share: float = 0.7, seed: int = 0) -> list[StudySession]:
        """`n` sessions that answer every trial, choosing the target with probability `share`."""
        rng = random.Random(seed)
        return [self._session(mode, share, rng) for _ in range(n)]

    def _session(self, mode: str, share: float, rng: random.Random) -> StudySession:
        session = StudySession.objects.create(
            participant=Participant.objects.create(),
            study=self.study,
            version=self.version,
            mode=mode,
            state="finished",
            token_hash=f"token-{next(_numbers)}",
            rng_seed=rng.randrange(1000),
        )
        for position, trial in enumerate(rng.sample(self.trials, len(self.trials))):
            options = list(trial.options.order_by("index"))
            presentation = Presentation.objects.create(
                session=session,
                trial=trial,
                position=position,
                option_order=rng.sample(range(len(options)), len(options)),
            )
            entry = LogEntry.objects.create(session=session, seq=position + 1, kind="response", payload={})
            for reference in trial.references.all():
                wrong = [option for option in options if option.pk != reference.answer_id]
                option = reference.answer if rng.random() < share else rng.choice(wrong)
                self._respond(presentation, reference, option, entry, rt=512.25, rt_raw_ms=512.2500001)
        return session

    def _respond(
        self,
        presentation: Presentation,
        reference: TrialReference,
        option: TrialOption | None,
        entry: LogEntry,
        **timing: Any,
    ) -> Response:
        return Response.objects.create(
            presentation=presentation,
            reference=reference,
            option=option,
            entry=entry,
            timed_out=option is None,
            trial_type="iri-two-afc",
            input="key",
            **timing,
        )


def answered_study(slug: str = "faces") -> AnsweredStudy:
    """A study of one version without sessions; `answer` adds them."""
    network = Network.objects.create(
        slug="resnet", name="ResNet", source="torchvision", architecture="resnet18", is_residual=True
    )
    layer = Layer.objects.create(network=network, name="avgpool", depth=9, output_shape=[512], role="pooled")
    spec = preset("reg_free")
    recipe = Recipe.objects.create(name="=cmd", preset="reg_free", spec=spec.to_json(), sha256=spec.sha256)
    images = ImageSet.objects.create(slug="photos", name="Photos")
    job = IRIJob.objects.create(layer=layer, recipe=recipe, image_set=images)
    start = stored_image("start")
    for number in range(N_TARGETS):
        shown = stored_image(f"target-{number}")
        target = TargetImage.objects.create(
            image_set=images, image=shown, name=f"{number}.png", label="@home, sweet"
        )
        IRI.objects.create(
            job=job,
            layer=layer,
            recipe=recipe,
            target=target,
            rng_seed=number,
            status="done",
            image=stored_image(f"iri-{number}"),
            start_image=start,
            target_resized=shown,
            relative_error=0.1 * (number + 1),
            passed=number > 0,
        )
    study = Study.objects.create(slug=slug, name="Faces")
    answered = AnsweredStudy(study=study, version=StudyVersion())
    for name, trial_format, n_options in (("first", "two_afc", 2), ("-second", "matching", 3)):
        answered.conditions[name] = Condition.objects.create(
            study=study,
            slug=name,
            layer=layer,
            recipe=recipe,
            image_set=images,
            format=trial_format,
            n_options=n_options,
        )
    answered.new_version()
    return answered
