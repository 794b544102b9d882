# One case with lme4: Rscript lme4.R data.csv formula calls task -> one JSON line (as worker.py prints it).
suppressMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
frame <- read.csv(arguments[1], stringsAsFactors = TRUE)
formula <- as.formula(arguments[2])
fit <- function() suppressWarnings(lmer(formula, frame))
statistics <- function(m) c(fixef(m), as.data.frame(VarCorr(m))$sdcor)
tasks <- list(
  fit = function(m) fit(),
  profile = function(m) suppressWarnings(confint(m, method = "profile", quiet = TRUE)),
  bootstrap = function(m) suppressWarnings(suppressMessages(bootMer(m, statistics, nsim = 1000)))
)
invisible(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))
task <- tasks[[arguments[4]]]
model <- if (arguments[4] == "fit") NULL else fit()
seconds <- numeric(0)
for (call in seq_len(as.integer(arguments[3])))
  seconds <- c(seconds, system.time(result <- task(model))[["elapsed"]])
criterion <- if (arguments[4] == "fit") sprintf("%.10f", REMLcrit(result)) else "null"
cat(sprintf('{"seconds": %.6f, "memory": null, "criterion": %s, "data": null}\n', median(seconds), criterion))
