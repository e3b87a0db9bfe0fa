"""Where recordings are read from: files, https, the canary; `source` opens any of them."""
