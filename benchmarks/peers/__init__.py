"""The same work as others do it: a folder a benchmark, a file a peer."""
