"""The operator: PopulateJobs of a cluster, with pods for workers."""
