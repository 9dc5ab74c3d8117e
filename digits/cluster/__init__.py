"""One process of a cluster, and a whole cluster on this machine."""
