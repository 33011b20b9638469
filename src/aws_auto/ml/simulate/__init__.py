"""A simulated AWS account: load, fleet, bill and incidents whose truth is known. Pure and seeded."""
