"""The nodes of a cluster, and what each of them answers."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from safelight.work.cluster_workers import connect

ANSWERED_S = 60.0
"""How long a node may take: it begins a process, and loads what the question needs."""


class Node(NamedTuple):
    """One machine, or what Ray takes for one."""

    address: str
    cores: int
    memory_gib: float
    answer: Any
    """What the function returned there; None if it raised."""
    problem: str | None
    """Why it did not answer."""


def ask_nodes(address: str, question: Callable[[], Any]) -> list[Node]:
    """Call a function on every node. Raises what `cluster_workers.connect` raises."""
    ray = connect(address)
    strategies: Any = import_module("ray.util.scheduling_strategies")
    alive = sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: str(node["NodeManagerAddress"]))
    ask = ray.remote(question)
    asked = []
    for node in alive:
        there = strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked.append(ask.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote())
    found = []
    for node, reference in zip(alive, asked, strict=True):
        answer, problem = None, None
        try:
            answer = ray.get(reference, timeout=ANSWERED_S)
        except Exception as error:  # whatever a node without Safelight raises
            problem = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        has = node["Resources"]
        memory = float(has.get("memory", 0)) / 2**30
        cores = int(has.get("CPU", 0))
        found.append(Node(node["NodeManagerAddress"], cores, memory, answer=answer, problem=problem))
    return found
