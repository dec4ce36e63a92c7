"""What the operator asks of the cluster, as plain objects: pure functions of a PopulateJob."""
