"""`kubectl populate`: the PopulateJobs of a cluster, for people."""

from .main import main

__all__ = ["main"]
