"""A large answered study, written by the database itself: what the results are timed on."""

from __future__ import annotations

import io
import random

from django.core.files.base import ContentFile
from django.db import connection, transaction
from PIL import Image

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
from survey_site.studies.models import Condition, Study, StudyVersion, Trial, TrialOption, TrialReference
from workers.iri.recipe import preset

FILLED = (
    "participation_studysession, participation_presentation, participation_logentry, participation_response"
)
LAYERS = ("conv1", "layer1", "layer2", "layer3", "avgpool")
NETWORKS = (
    ("resnet18", "ResNet-18", "ResNet", True, "cross-entropy", ""),
    ("resnet18-simclr", "ResNet-18, SimCLR", "ResNet", True, "SimCLR", "colour"),
    ("vgg16", "VGG-16", "VGG", False, "cross-entropy", ""),
    ("vgg16-robust", "VGG-16, robust", "VGG", False, "adversarial l2", "colour"),
)
RULES = [
    {"rule": "catch_rate", "version": 1, "minimum": 0.75},
    {"rule": "too_fast", "version": 1, "minimum_ms": 200.0, "share": 0.2},
]


@transaction.atomic
def filled_study(*, participants: int, items: int, layers: int = 5, rng_seed: int = 0) -> Study:
    """Everybody answers `items` trials (spread over 4 networks x `layers` conditions) and 4 catch trials."""
    rng = random.Random(rng_seed)
    conditions = _conditions(layers)
    study = conditions[0].study
    version = StudyVersion.objects.create(
        study=study, number=1, settings={"exclusion_rules": RULES}, texts={}, sha256="0" * 64
    )
    pictures = [_picture(rng) for _ in range(8)]
    _trials(version, conditions, pictures, items)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(%s)", [0.5])
        for statement in STATEMENTS:
            cursor.execute(statement, {"study": study.pk, "version": version.pk, "people": participants})
        cursor.execute(f"ANALYZE {FILLED}")
    return study


def _conditions(layers: int) -> list[Condition]:
    study = Study.objects.create(slug="large", name="A large study")
    spec = preset("reg_free")
    recipe = Recipe.objects.create(
        name="reg_free", preset="reg_free", spec=spec.to_json(), sha256=spec.sha256
    )
    images = ImageSet.objects.create(slug="large", name="Large")
    made = []
    for slug, name, family, is_residual, loss, augmentation in NETWORKS:
        network = Network.objects.create(
            slug=slug,
            name=name,
            source="torchvision",
            architecture=slug.partition("-")[0],
            family=family,
            is_residual=is_residual,
            training_loss=loss,
            augmentation=augmentation,
            training_set="ImageNet",
        )
        for depth, layer_name in enumerate(LAYERS[:layers]):
            layer = Layer.objects.create(network=network, name=layer_name, depth=depth, output_shape=[512])
            made.append(
                Condition.objects.create(
                    study=study,
                    slug=f"{slug}-{layer_name}",
                    layer=layer,
                    recipe=recipe,
                    image_set=images,
                )
            )
    Study.objects.filter(pk=study.pk).update(status="open")  # last, since it locks the design
    return made


def _picture(rng: random.Random) -> StoredImage:
    pixels = Image.frombytes("RGB", (96, 96), rng.randbytes(96 * 96 * 3)).resize((8, 8)).resize((96, 96))
    data = io.BytesIO()
    pixels.save(data, "PNG")
    image = StoredImage(sha256=f"{rng.getrandbits(256):064x}", width=96, height=96)
    image.file.save("large.png", ContentFile(data.getvalue()), save=False)
    image.save()
    return image


def _trials(
    version: StudyVersion, conditions: list[Condition], pictures: list[StoredImage], items: int
) -> None:
    targets = [
        TargetImage.objects.create(image_set=conditions[0].image_set, image=picture, name=f"{number}.png")
        for number, picture in enumerate(pictures)
    ]
    jobs = {
        condition.pk: IRIJob.objects.create(
            layer=condition.layer, recipe=condition.recipe, image_set=condition.image_set
        )
        for condition in conditions
    }
    trials, options, references = [], [], []
    for number in range(items + 4):
        condition = conditions[number % len(conditions)] if number < items else None
        shown = [pictures[(number + place) % len(pictures)] for place in range(3)]
        iri = _iri(jobs[condition.pk], targets[number % len(targets)], shown, number) if condition else None
        trial = Trial(
            version=version,
            number=number,
            condition=condition,
            format="two_afc",
            kind="main" if condition else "catch",
        )
        own = [TrialOption(trial=trial, index=index, image=shown[1 + index]) for index in range(2)]
        trials.append(trial)
        options += own
        references.append(TrialReference(trial=trial, index=0, image=shown[0], answer=own[0], iri=iri))
    Trial.objects.bulk_create(trials)
    TrialOption.objects.bulk_create(options)
    TrialReference.objects.bulk_create(references)


def _iri(job: IRIJob, target: TargetImage, shown: list[StoredImage], number: int) -> IRI:
    return IRI.objects.create(
        job=job,
        layer=job.layer,
        recipe=job.recipe,
        target=target,
        rng_seed=number,
        status="done",
        image=shown[0],
        start_image=shown[2],
        target_resized=shown[1],
        relative_error=0.1,
        passed=True,
    )


# People differ by a normal effect; later layers and trained networks are chosen less and more often.
STATEMENTS = (
    "CREATE TEMPORARY TABLE people ON COMMIT DROP AS SELECT gen_random_uuid() AS participant, "
    "gen_random_uuid() AS session, number, sqrt(-2 * ln(random() + 1e-9)) * cos(6.283 * random()) AS effect "
    "FROM generate_series(1, %(people)s) AS number",
    "INSERT INTO participation_participant (id, created_at) SELECT participant, now() FROM people",
    "INSERT INTO participation_studysession (id, participant_id, study_id, version_id, mode, language, "
    "recruiter, state, screened_out_by, token_hash, rng_seed, consent_version, client_lease, created_at, "
    "consented_at, finished_at, last_seen_at, is_anonymised, next_seq, last_seq) "
    "SELECT session, participant, %(study)s, %(version)s, 'real', 'en', 'link', "
    "CASE WHEN number %% 50 = 0 THEN 'running' ELSE 'finished' END, '', session::text, number, '', '', "
    "now(), now() - interval '9 minutes', CASE WHEN number %% 50 = 0 THEN NULL ELSE now() END, now(), false, "
    "n_trials + 1, n_trials FROM people, "
    "(SELECT count(*) AS n_trials FROM studies_trial WHERE version_id = %(version)s) AS plan",
    "CREATE TEMPORARY TABLE shown ON COMMIT DROP AS SELECT gen_random_uuid() AS presentation, session, "
    "trial.id AS trial, trial.kind, trial.number, effect, people.number AS person, "
    "row_number() OVER (PARTITION BY session ORDER BY random()) AS seq, random() < 0.5 AS is_first, "
    "condition.layer_id, layer.depth, network.augmentation <> '' AS is_better FROM people "
    "CROSS JOIN studies_trial AS trial LEFT JOIN studies_condition AS condition "
    "ON condition.id = trial.condition_id LEFT JOIN stimuli_layer AS layer ON layer.id = condition.layer_id "
    "LEFT JOIN stimuli_network AS network ON network.id = layer.network_id "
    "WHERE trial.version_id = %(version)s",
    "INSERT INTO participation_presentation "
    "(id, session_id, trial_id, position, block, option_order, attempt) "
    "SELECT presentation, session, trial, seq - 1, 0, "
    "CASE WHEN is_first THEN '[0, 1]' ELSE '[1, 0]' END::jsonb, 1 FROM shown",
    "INSERT INTO participation_logentry (session_id, seq, kind, payload, received_at) "
    "SELECT session, seq, 'response', '{}', now() FROM shown",
    "INSERT INTO participation_response (presentation_id, reference_id, option_id, entry_id, rt, rt_raw_ms, "
    "trial_type, input, timed_out, focus_lost) SELECT presentation, reference.id, "
    "CASE WHEN random() < CASE WHEN shown.kind = 'catch' "
    "THEN CASE WHEN person %% 20 = 0 THEN 0.3 ELSE 0.98 END "
    "ELSE 1 / (1 + exp(-(1.6 + 0.7 * effect - 0.5 * depth + 0.8 * is_better::int "
    "+ 0.5 * sin(shown.number * 1.7)))) END THEN reference.answer_id ELSE other.id END, entry.id, "
    "round((450 + 900 * random())::numeric), 450, 'iri-two-afc', 'key', false, 0 FROM shown "
    "JOIN studies_trialreference AS reference ON reference.trial_id = shown.trial "
    "JOIN studies_trialoption AS other ON other.trial_id = shown.trial AND other.index = 1 "
    "JOIN participation_logentry AS entry ON entry.session_id = shown.session AND entry.seq = shown.seq",
)
