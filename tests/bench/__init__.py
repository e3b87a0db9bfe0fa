"""`make bench`: this program beside what an operator would otherwise script, in one run."""
