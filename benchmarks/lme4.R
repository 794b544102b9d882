# One case with lme4: Rscript lme4.R data.csv formula family nAGQ calls task
# -> one JSON line (as worker.py prints it).
suppressMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
frame <- read.csv(arguments[1], stringsAsFactors = TRUE)
formula <- as.formula(arguments[2])
family <- arguments[3]
nodes <- as.integer(arguments[4])
calls <- as.integer(arguments[5])
name <- arguments[6]
fit <- function() suppressWarnings(
  if (family == "gaussian") lmer(formula, frame) else glmer(formula, frame, family, nAGQ = nodes)
)
statistics <- function(m) c(fixef(m), as.data.frame(VarCorr(m))$sdcor)
tasks <- list(
  fit = function(m) fit(),
  profile = function(m) suppressWarnings(confint(m, method = "profile", quiet = TRUE)),
  bootstrap = function(m) suppressWarnings(suppressMessages(bootMer(m, statistics, nsim = 1000))),
  leverages = function(m) hatvalues(m),
  influence = function(m) suppressWarnings(influence(m, names(ngrps(m))[1]))
)
invisible(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))
task <- tasks[[name]]
model <- if (name == "fit") NULL else fit()
seconds <- numeric(0)
for (call in seq_len(calls))
  seconds <- c(seconds, system.time(result <- task(model))[["elapsed"]])
criterion <- if (name == "fit") sprintf("%.10f", -2 * c(logLik(result))) else "null"
cat(sprintf('{"seconds": %.6f, "memory": null, "criterion": %s, "data": null}\n', median(seconds), criterion))
