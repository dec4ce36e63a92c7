"""All policy: pure functions from (spec, observation, previous, now) to a plan. No I/O, no clock."""

from .observation import Observation, Problem, Queue, Recovery, Refresh, Resolved, Rollout, Tally, Upstream, Worker
from .plan import Memory, Plan, Previous, plan

__all__ = [
    "Memory",
    "Observation",
    "Plan",
    "Previous",
    "Problem",
    "Queue",
    "Recovery",
    "Refresh",
    "Resolved",
    "Rollout",
    "Tally",
    "Upstream",
    "Worker",
    "plan",
]
