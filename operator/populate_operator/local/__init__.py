"""`populate run`: the manifest's PopulateJobs on one machine, with local processes in place of pods."""
