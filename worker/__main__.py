"""`python -m worker` is the program `courier`."""

from worker.cli import main

if __name__ == "__main__":
    main()
