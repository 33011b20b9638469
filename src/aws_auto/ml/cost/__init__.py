"""Cost: one bill in FOCUS words, what it says about waste and change, and the prices of instances."""
