"""The public functions. The command line calls them too.

None of them changes what belongs to the process for longer than it runs: no signal handlers, no streams, no threads of
torch. `UserError` is a mistake in what was given, in one line; `Interrupted` says how to go on.
"""

from cleave.api.designs import design, is_design, resume_design
from cleave.api.exports import export, predict
from cleave.api.measuring import measure
from cleave.api.reports import compare_runs, report
from cleave.api.searches import evolve, front, load, partition, plan, rank, resume, search
from cleave.api.studies import is_study, resume_study, study
from cleave.api.trainings import compare, evaluate, is_training, opponents, resume_training, timm_model, train, verdict

__all__ = [
    "compare",
    "compare_runs",
    "design",
    "evaluate",
    "evolve",
    "export",
    "front",
    "is_design",
    "is_study",
    "is_training",
    "load",
    "measure",
    "opponents",
    "partition",
    "plan",
    "predict",
    "rank",
    "report",
    "resume",
    "resume_design",
    "resume_study",
    "resume_training",
    "search",
    "study",
    "timm_model",
    "train",
    "verdict",
]
