"""What the test on save finds of names and writing, in words that pages tell later too. Pure."""

IN_PLACE = "recordings are written to their name, and whoever looks meanwhile sees half of one"
UNSEEN = (
    "The server does not tell whether a name is taken: the names of recordings carry their id, "
    "as in call-<id>.wav, so that nothing is overwritten"
)
REFUSES_TAKEN = "The server does not tell whether a name is taken, and refuses one that is"
OVERWRITES = "The server does not tell whether a name is taken: files are overwritten, as chosen"
