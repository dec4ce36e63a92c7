"""`kubectl populate`: the PopulateJobs of a cluster, for people."""

from .main import complete, main

__all__ = ["complete", "main"]
