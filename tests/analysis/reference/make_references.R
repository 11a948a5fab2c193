# Makes the reference values beside it: Rscript make_references.R (r-base-core, r-cran-lme4).
suppressMessages(library(lme4))
folder <- dirname(sub("--file=", "", grep("--file=", commandArgs(FALSE), value = TRUE)))
answers <- read.csv(file.path(folder, "mixed_logit_answers.csv"), colClasses = "character")
answers$is_correct <- as.integer(answers$is_correct)
control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-3, rhoend = 2e-9, maxfun = 1e5),
                        tolPwrss = 1e-13)
fit <- glmer(is_correct ~ 0 + condition + (1 | participant) + (1 | item), answers, binomial, control = control)
effects <- coef(summary(fit))
conditions <- sub("^condition", "", rownames(effects))
sds <- as.data.frame(VarCorr(fit))
lines <- c(
  sprintf('  "versions": {"R": "%s", "lme4": "%s"}', getRversion(), packageVersion("lme4")),
  sprintf('  "logits": {%s}', paste(sprintf('"%s": %.10f', conditions, effects[, 1]), collapse = ", ")),
  sprintf('  "errors": {%s}', paste(sprintf('"%s": %.10f', conditions, effects[, 2]), collapse = ", ")),
  sprintf('  "participant_sd": %.10f', sds$sdcor[sds$grp == "participant"]),
  sprintf('  "item_sd": %.10f', sds$sdcor[sds$grp == "item"]),
  sprintf('  "log_likelihood": %.10f', as.numeric(logLik(fit)))
)
writeLines(c("{", paste(lines, collapse = ",\n"), "}"), file.path(folder, "mixed_logit.json"))
