"""A Ray cluster of several nodes on this machine, in a process of its own that obeys lines on its stdin.

``add``: one more node of one core; ``kill``: the oldest of them dies, its workers with it; ``spilled``: how
many objects went to a disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = "127.0.0.1"


def main(n: int) -> None:
    """Obeys until stdin ends."""
    from ray.cluster_utils import Cluster  # pytest reads this file where there is no Ray, too

    head = {"num_cpus": 0, "node_ip_address": HERE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, node_ip_address=HERE) for _ in range(n)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line == "add\n":
            nodes.append(cluster.add_node(num_cpus=1, node_ip_address=HERE))
        elif line == "kill\n":
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
        elif line == "spilled\n":
            folder = Path(cluster.head_node.get_session_dir_path())
            print(len(list(folder.glob("ray_spilled_objects*/*"))), flush=True)
            continue
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
