"""What installs and starts the program, as far as it can be looked at without doing so."""
