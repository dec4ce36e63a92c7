"""Manifests as `kubectl apply -f` takes them, read, checked and completed without a cluster.

The schema, its defaults and its rules are those of the CustomResourceDefinition, so that a file which is right here is
right on a server; what a server would drop without a word, such as a misspelt field, is refused.
"""

from .problems import ManifestError, Problem
from .reader import Manifest, load

__all__ = ["Manifest", "ManifestError", "Problem", "load"]
