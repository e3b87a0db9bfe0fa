"""The SSH connection under SFTP: transport, packets, logon."""
