"""Root cause of an incident: evidence, call graph, ranking, known patterns, actions. `analyse` is the door."""
