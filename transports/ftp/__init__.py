"""FTP (RFC 959, 2389, 2428, 2640, 3659); `server` is the backend."""
