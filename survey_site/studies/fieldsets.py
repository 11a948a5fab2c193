"""In what order the form of a study asks for its settings."""

from __future__ import annotations

from survey_site.studies.exclusion_form import exclusion_rows

#: For editors: whoever has a code can claim to have taken part.
CODES_TITLE = "Completion"

FIELDSETS = [
    (
        None,
        {
            "fields": [
                ("name", "slug"),
                ("status_text", "links"),
                ("trial_counts", "missing"),
                "iris_shown",
                "preregistration_url",
            ]
        },
    ),
    (
        "Plan",
        {
            "fields": [
                ("trials_per_participant", "n_catch"),
                ("n_practice", "practice_pass"),
                "practice_rounds",
                ("n_repeats", "repeat_distance"),
                ("break_every", "rng_seed"),
                ("quota", "resume_minutes"),
            ]
        },
    ),
    (
        "Trials",
        {
            "fields": [
                ("fixation_ms", "time_limit_ms"),
                ("image_frames", "confidence_levels"),
                ("reference_ms", "mask_ms"),
            ]
        },
    ),
    (
        "Page",
        {"fields": [("minutes", "contact"), ("mobile_policy", "keyboard_shortcuts"), "image_scaling"]},
    ),
    (
        "Exclusions",
        {
            "description": (
                "Who is to be left out of the scores is chosen before the study opens and frozen with "
                "it. A session that several rules leave out is counted at the first. Scores are always "
                "shown with and without."
            ),
            "fields": exclusion_rows(),
        },
    ),
    (
        "Recruitment",
        {
            "fields": [
                ("recruiter", "withdrawal"),
                "recruiter_study_id",
                "group",
                ("base_pay", "currency"),
            ]
        },
    ),
    (
        CODES_TITLE,
        {
            "fields": [
                ("completion_code", "refusal_code"),
                ("screened_out_code", "completion_url"),
                ("failed_check_code", "catch_pass"),
            ]
        },
    ),
]
