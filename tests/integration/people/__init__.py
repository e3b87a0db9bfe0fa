"""Users, tokens, the audit and the limit of sign-ins, each on a real MongoDB."""
