"""What the operator makes for a PopulateJob has names made from its own: what others gave such a name stays theirs."""

from __future__ import annotations

from .api import Cluster, ClusterError, Object
from .manifests.names import POPULATEJOB
from .store import Store

CONFLICT = 409


class NameTaken(ClusterError):
    """There is an object of this name that is not the PopulateJob's."""

    @property
    def says_no(self) -> bool:
        return True


async def apply(cluster: Cluster, store: Store, wanted: Object) -> Object:
    """Creates it or makes it so. Raises NameTaken.

    Whoever may write PopulateJobs would otherwise rule over ConfigMaps and Deployments of others, by their names.
    """
    metadata = wanted["metadata"]
    where = wanted["kind"], metadata["namespace"], metadata["name"]
    # The store has those with our labels only.
    if store.get(*where) is None:
        found = await cluster.find(*where)
        if found is not None and not is_of_same(found, wanted):
            kind, _, name = where
            raise NameTaken(
                f"there is a {kind} {name} that is not of this PopulateJob: remove it, or name the PopulateJob "
                f"otherwise",
                status=CONFLICT,
            )
    return await cluster.apply(wanted)


def is_of_same(found: Object, wanted: Object) -> bool:
    """Whether both are made for a PopulateJob of the same name."""
    theirs, ours = (item["metadata"].get("labels", {}).get(POPULATEJOB) for item in (found, wanted))
    return theirs is not None and theirs == ours
