"""SFTP version 3 (draft-ietf-secsh-filexfer-02) on paramiko; `server` is the backend."""
