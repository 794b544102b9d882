# One case with lme4: Rscript lme4.R data.csv formula calls -> one JSON line (as worker.py prints it).
suppressMessages(library(lme4))
arguments <- commandArgs(trailingOnly = TRUE)
frame <- read.csv(arguments[1], stringsAsFactors = TRUE)
formula <- as.formula(arguments[2])
invisible(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))
seconds <- numeric(0)
for (call in seq_len(as.integer(arguments[3])))
  seconds <- c(seconds, system.time(model <- suppressWarnings(lmer(formula, frame)))[["elapsed"]])
cat(sprintf('{"seconds": %.6f, "memory": null, "criterion": %.10f, "data": null}\n',
            median(seconds), REMLcrit(model)))
