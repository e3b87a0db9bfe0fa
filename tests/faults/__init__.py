"""The fault matrix: every row of it injected for real, each test ended by the same accounting."""
