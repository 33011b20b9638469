"""One predict function behind every way to ask a model; here the local HTTP endpoint. Start at `predict`."""
