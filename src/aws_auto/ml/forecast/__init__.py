"""What is coming: naive rules, boosted quantiles, and intervals that hold what they promise."""
