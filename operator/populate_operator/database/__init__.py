"""Sessions on the pipelines' databases: one to observe and one to refresh with, each in a thread of its own."""
