"""A paragraph for a paper's methods section, with the numbers, versions and seeds of one report."""

from collections.abc import Mapping, Sequence
from typing import Any

from survey_site.analysis.report_warnings import not_compared


def methods_paragraph(report: Mapping[str, Any]) -> str:
    """Plain text from a report of `services.alignment_of`; sentences about what was not done are left out."""
    sentences = [
        _participants(report),
        _unfinished(report["unfinished"]),
        _exclusions(report["exclusions"]),
        _scores(report),
        _comparisons(report),
        *not_compared(**report["not_compared"]),
        _mixed_model(report["mixed_model"]),
        _software(report),
    ]
    return " ".join(filter(None, sentences))


def _participants(report: Mapping[str, Any]) -> str:
    rows, counted = report["rows"], report["exclusions"]["flow"]
    kind = "pilot participants" if report["mode"] == "pilot" else "participants"
    return (
        f"{counted['assessed']} {kind} gave answers; those of {counted['kept']} are analysed "
        f"({_count(rows['scored'], 'scored answer')} in {_count(len(report['scores']), 'condition')}, "
        f"{rows['unanswered']} main trials without an answer left out)."
    )


def _unfinished(unfinished: Mapping[str, Any]) -> str:
    if not unfinished["sessions"]:
        return ""
    return (
        f"{_count(unfinished['responses'], 'scored answer')} of "
        f"{_count(unfinished['sessions'], 'unfinished session')} are included."
    )


def _exclusions(exclusions: Mapping[str, Any]) -> str:
    if not exclusions["rules"]:
        return "Nobody was excluded by a rule."
    rules = [_rule(rule, exclusions["flow"]["by_rule"]) for rule in exclusions["rules"]]
    return f"Sessions were left out by these rules, in this order: {_joined(rules)}."


def _rule(rule: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    settings = {key: value for key, value in rule.items() if key not in ("rule", "version", "reasons")}
    said = ", ".join(f"{key} {value:g}" for key, value in sorted(settings.items()))
    name = rule["rule"].replace("_", " ")
    return f"{name} (version {rule['version']}{', ' + said if said else ''}; n = {counts[rule['rule']]})"


def _scores(report: Mapping[str, Any]) -> str:
    settings = report["settings"]
    return (
        "The human-alignment score of a condition is the share of answers that chose the target. "
        f"Its {settings['confidence']:.0%} interval inverts a score test with the two-way variance over "
        "participants and items (V_participants + V_items - V_residual) and Satterthwaite's degrees "
        "of freedom; the bootstrap over participants is exact where all gave equally many answers, "
        "and otherwise, like that over participants and items at once (Owen, 2007), has "
        f"{settings['replicates']:,} replicates from RNG seed {settings['rng_seed']}. "
        "Noise ceilings are the shares of answers that agree with the most frequent answer of the other "
        "participants (lower) and of all (upper); normalised scores, (score - chance) / (ceiling - chance), "
        "have Fieller's interval, from the two-way covariance of score and ceiling."
    )


def _comparisons(report: Mapping[str, Any]) -> str:
    compared = report["comparisons"]
    if not compared:
        return ""
    verb = "was" if len(compared) == 1 else "were"
    tested = sum(difference["p_value"] is not None for difference in compared)
    over = f" over the {tested} that have a p value" if tested < len(compared) else ""
    return (
        f"{_count(len(compared), 'pair')} of conditions {verb} compared within participants, over "
        "participants and items: by t tests with the two-way variance of the difference (V_participants of "
        "paired differences + V_items of both conditions - V_residual) and Satterthwaite's degrees of "
        f"freedom, adjusted by Holm's method{over}; equivalence was tested by two one-sided such tests with "
        f"a margin of {report['settings']['margin']:g}. Sign-flip permutation tests "
        f"({_assignments(report)}) are given beside them, unadjusted; they are "
        f"{report['scopes']['comparisons_over_participants']}."
    )


def _assignments(report: Mapping[str, Any]) -> str:
    tests = [difference["over_participants"]["test"] for difference in report["comparisons"]]
    exact, drawn = (
        sum(test["exact"] for test in tests),
        f"{report['settings']['replicates']:,} random assignments",
    )
    if exact == len(tests):
        return "exact"
    return f"exact for {_count(exact, 'pair')}, {drawn} for {len(tests) - exact}" if exact else drawn


def _mixed_model(fit: Mapping[str, Any]) -> str:
    if "undefined" in fit:
        return ""
    return (
        "A logistic mixed model with conditions as fixed and participants and items as crossed random "
        f"effects was fitted by Laplace's approximation to {fit['n']:,} answers of {fit['n_participants']} "
        f"participants to {fit['n_items']} items (standard deviations {fit['participant_sd']:.2f} and "
        f"{fit['item_sd']:.2f} on the logit scale); it has no term for participant by item or by condition."
    )


def _software(report: Mapping[str, Any]) -> str:
    versions = report["versions"]
    others = _joined([f"{name} {versions[name]}" for name in sorted(versions) if name != "code"])
    frozen = [
        f"{version['number']} (SHA-256 {version['sha256'][:12]})" for version in report["study_versions"]
    ]
    of = f"version{'s' * (len(frozen) > 1)} {_joined(frozen)} of " if frozen else ""
    return f"Computed by IRISurvey {versions['code']} with {others} on {of}the study “{report['study']}”."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
