"""Google's and Azure's stores, through fsspec's file systems, which are held to our own limits."""
