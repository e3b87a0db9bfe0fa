"""Builds Courier's image and tries it, the compose file and the tests on a Docker engine.

`make images` is the command. It needs root on Debian, and no image from outside: those that ours
and the compose file name are built from Debian's packages, under the same names.
"""
