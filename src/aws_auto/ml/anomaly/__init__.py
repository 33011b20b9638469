"""What is wrong: how far each point lies from what its own past says."""
