"""How good, and how sure: figures of merit, back-tests, intervals."""
